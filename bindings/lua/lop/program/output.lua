-- bindings/lua/lop/program/output.lua - where a verb writes: results to stdout, progress and warnings to stderr, and
-- what of both is left out under --json and --quiet.

local core = require "lop.core"
local json = require "lop.json"

local output = {}
output.__index = output
output.__name = "lop.program.output"

local BAR = 24                          -- characters of a progress bar
local STEP = 0.1                        -- seconds between two drawings

--- json, quiet and verbose as on the command line.
---@param opts {json: boolean?, quiet: boolean?, verbose: boolean?}
function output.new(opts)
  local columns = core.system.terminal("stderr")
  return setmetatable({
    json = opts.json, quiet = opts.quiet, verbose = opts.verbose,
    columns = columns,                  -- of stderr; nil: no terminal
    colour = columns and not os.getenv("NO_COLOR") and os.getenv("TERM") ~= "dumb",
    drawn = false,                      -- a bar stands on the last line of stderr
  }, output)
end

--- A line of the result; none under --json.
function output:line(text, ...)
  if self.json then return end
  if select("#", ...) > 0 then text = text:format(...) end
  self:clear()
  io.stdout:write(text, "\n")
end

--- The result as one JSON document, under --json only.
function output:document(value)
  if self.json then io.stdout:write(json.encode(value, {pretty = true}), "\n") end
end

--- Rows of cells in columns, as lines: {{"name", "width"}, {"conv1", 64}}. Numbers stand to the right.
---@return string[]
function output.lines_of(rows)
  local width, numeric, lines = {}, {}, {}
  for r, row in ipairs(rows) do
    for c, cell in ipairs(row) do
      width[c] = math.max(width[c] or 0, utf8.len(tostring(cell)) or #tostring(cell))
      if r > 1 then numeric[c] = numeric[c] ~= false and (type(cell) == "number" or tonumber(cell) ~= nil) end
    end
  end
  for r, row in ipairs(rows) do
    local cells = {}
    for c, cell in ipairs(row) do
      local text = tostring(cell)
      local pad = (" "):rep(width[c] - (utf8.len(text) or #text))
      cells[c] = numeric[c] and pad .. text or text .. pad
    end
    lines[r] = table.concat(cells, "  "):gsub("%s+$", "")
  end
  return lines
end

--- The same, printed.
function output:columns_of(rows)
  if self.json then return end
  for _, line in ipairs(output.lines_of(rows)) do self:line("%s", line) end
end

local function to_log(self, text)
  if self.log then self.log:write(text, "\n") end
end

--- A line on stderr about what goes on; none under --quiet. self.log, a file, gets a copy of all of stderr but bars.
function output:note(text, ...)
  if select("#", ...) > 0 then text = text:format(...) end
  to_log(self, text)
  if self.quiet then return end
  self:clear()
  io.stderr:write(text, "\n")
end

--- A warning on stderr, also under --quiet.
function output:warn(text, ...)
  if select("#", ...) > 0 then text = text:format(...) end
  text = "lop: warning: " .. text
  to_log(self, text)
  self:clear()
  io.stderr:write(self.colour and "\27[33m" .. text .. "\27[0m" or text, "\n")
end

--- An error line on stderr.
function output:error(text)
  text = "lop: " .. text
  to_log(self, text)
  self:clear()
  io.stderr:write(self.colour and "\27[31m" .. text .. "\27[0m" or text, "\n")
end

--- Takes a bar off the screen.
function output:clear()
  if not self.drawn then return end
  io.stderr:write("\r\27[K")
  self.drawn = false
end

local function duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return seconds .. " s" end
  if seconds < 3600 then return ("%d min %02d s"):format(seconds // 60, seconds % 60) end
  return ("%d h %02d min"):format(seconds // 3600, seconds % 3600 // 60)
end
output.duration = duration

local function draw(self, what, share, left)
  local full = math.floor(share * BAR)
  local text = ("%s [%s%s] %3d %%"):format(what, ("#"):rep(full), ("-"):rep(BAR - full), math.floor(share * 100))
  if left then text = text .. ", " .. duration(left) .. " left" end
  io.stderr:write("\r", text:sub(1, self.columns - 1), "\27[K")
  io.stderr:flush()
  self.drawn = true
end

--- A function(what, done, total) for the option `progress` of long calls: a bar with the time left on a terminal,
--- elsewhere one line for each `what` when it is done.
function output:progress()
  local current, began, shown
  return function(what, done, total)
    local now = core.system.seconds()
    if what ~= current then current, began, shown = what, now, -math.huge end
    if self.quiet then return end
    local share = total > 0 and math.min(done / total, 1) or 1
    local line = done >= total and ("%s: %s"):format(what, duration(now - began))
    if not self.columns then
      if line then self:note("%s", line) end
    elseif line then
      self:clear()
      to_log(self, line)
    elseif now - shown >= STEP then
      shown = now
      draw(self, what, share, done > 0 and (now - began) / share * (1 - share) or nil)
    end
  end
end

return output
