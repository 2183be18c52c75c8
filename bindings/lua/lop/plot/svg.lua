-- bindings/lua/lop/plot/svg.lua - a small writer of SVG: marks are kept as text, in order; equal calls, equal bytes.

local svg = {}
svg.__index = svg
svg.__name = "lop.svg"

local escapes = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;"}

-- Text as XML can hold it: no control characters, and what is no UTF-8 as question marks.
local function escape(text)
  text = tostring(text)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  return (text:gsub("%c", " "):gsub('[&<>"]', escapes))
end

-- Two decimals at most: a hundredth of a pixel is seen by nobody.
local function number(v)
  if v ~= v or math.abs(v) == math.huge then return "0" end
  local text = ("%.2f"):format(v):gsub("0+$", ""):gsub("%.$", "")
  return text == "-0" and "0" or text
end

--- A picture of so many pixels, white.
---@param width number
---@param height number
function svg.new(width, height)
  local self = setmetatable({width = width, height = height, marks = {}}, svg)
  self:rect(0, 0, width, height, {fill = "#ffffff"})
  return self
end

-- Attributes of a mark: those that are given, by name.
local function attributes(style)
  local names, list = {}, {}
  for name in pairs(style or {}) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    local v = style[name]
    list[i] = (' %s="%s"'):format(name:gsub("_", "-"), type(v) == "number" and number(v) or escape(v))
  end
  return table.concat(list)
end

local function add(self, text, ...)
  self.marks[#self.marks + 1] = text:format(...)
end

--- style: attributes by name, `_` for `-`: {fill = "#000000", stroke_width = 2}.
function svg:rect(x, y, width, height, style)
  add(self, '<rect x="%s" y="%s" width="%s" height="%s"%s/>', number(x), number(y), number(width), number(height),
      attributes(style))
end

function svg:line(x1, y1, x2, y2, style)
  add(self, '<line x1="%s" y1="%s" x2="%s" y2="%s"%s/>', number(x1), number(y1), number(x2), number(y2),
      attributes(style))
end

function svg:circle(x, y, r, style)
  add(self, '<circle cx="%s" cy="%s" r="%s"%s/>', number(x), number(y), number(r), attributes(style))
end

---@param points number[][]   {{x, y}, ...}
function svg:polyline(points, style)
  local list = {}
  for i, p in ipairs(points) do list[i] = number(p[1]) .. "," .. number(p[2]) end
  add(self, '<polyline points="%s" fill="none"%s/>', table.concat(list, " "), attributes(style))
end

--- A text at its base line; anchor "start", "middle" or "end" (text_anchor in style).
function svg:text(x, y, text, style)
  add(self, '<text x="%s" y="%s"%s>%s</text>', number(x), number(y), attributes(style), escape(text))
end

--- The document.
---@return string
function svg:encode()
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" '
          .. 'font-family="Helvetica, Arial, sans-serif" font-size="11">\n%s\n</svg>\n')
    :format(number(self.width), number(self.height), number(self.width), number(self.height),
            table.concat(self.marks, "\n"))
end

return svg
