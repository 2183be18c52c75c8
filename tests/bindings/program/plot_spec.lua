local chart = require "lop.plot.chart"                          -- tests/bindings/program/plot_spec.lua
local svg = require "lop.plot.svg"
local text = require "lop.plot.text"

describe("the writer of SVG", function()
  it("gives a document to the letter", function()
    local picture = svg.new(20, 10.5)
    picture:line(1, 2, 3.14159, -0.0001, {stroke_width = 2, stroke = "#000000"})
    picture:polyline({{0, 0}, {1, 1 / 3}}, {})
    picture:text(1, 2, 'a<b & "c"\n')
    assert.equal('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10.5" viewBox="0 0 20 10.5" '
      .. 'font-family="Helvetica, Arial, sans-serif" font-size="11">\n'
      .. '<rect x="0" y="0" width="20" height="10.5" fill="#ffffff"/>\n'
      .. '<line x1="1" y1="2" x2="3.14" y2="0" stroke="#000000" stroke-width="2"/>\n'
      .. '<polyline points="0,0 1,0.33" fill="none"/>\n'
      .. '<text x="1" y="2">a&lt;b &amp; &quot;c&quot; </text>\n</svg>\n', picture:encode())
  end)
  it("writes numbers that are none, and bytes that are no UTF-8, as what XML can hold", function()
    local picture = svg.new(1, 1)
    picture:circle(0 / 0, math.huge, 1)
    picture:text(0, 0, "\xff\1")
    assert.matches('<circle cx="0" cy="0" r="1"/>', picture:encode())
    assert.matches(">%? </text>", picture:encode())
  end)
end)

describe("a chart", function()
  local panels = {{title = "one", series = {{name = "a", points = {{0, 1}, {0.5, 0.1}, {1, 0.01}}}}},
                  {title = "two", series = {{name = "b", points = {{0, 0.5}, {1, 0}}}}}}
  local opts = {title = "t", x = {0, 1}, ticks = {0, 1}, x_label = "x"}
  it("places points on a logarithmic axis of whole decades, what is 0 at its lower edge", function()
    local picture = chart.panels(panels, opts)
    local x0, y0, x1, y1, x2, y2 = picture:match('points="([%d.]+),([%d.]+) ([%d.]+),([%d.]+) ([%d.]+),([%d.]+)"')
    assert.near((tonumber(x0) + x2) / 2, tonumber(x1), 0.011)
    assert.near((tonumber(y0) + y2) / 2, tonumber(y1), 0.011)
    assert.is_true(tonumber(y0) < tonumber(y2))
    local low = picture:match('points="[%d.]+,[%d.]+ [%d.]+,([%d.]+)" fill="none" stroke="#d55e00"')
    assert.equal(y2, low)
    assert.equal(picture, chart.panels(panels, opts))
  end)
  it("has an even axis from 0, too", function()
    local picture = chart.panels(panels, {title = "t", x = {0, 1}, ticks = {0, 1}, x_label = "x", log = false})
    local _, y0, _, y1 = picture:match('points="([%d.]+),([%d.]+) [%d.]+,[%d.]+ ([%d.]+),([%d.]+)"')
    assert.is_true(tonumber(y1) - tonumber(y0) > 90)
  end)
end)

describe("curves as text", function()
  it("are blocks over four decades", function()
    assert.equal("\u{2588}\u{2587}\u{2585}\u{2583}\u{2581}.", text.blocks({1, 0.1, 0.01, 1.01e-3, 1.01e-4, 0}, 1))
  end)
  it("are marks on whole decades", function()
    assert.same({"       1 |*", "         |  *", "    0.01 |    o", "         +-----", "          0   4"},
                text.plot({{mark = "*", points = {{0, 1}, {2, 0.1}, {4, 0}}}, {mark = "o", points = {{4, 0.01}}}},
                          {from = 0, to = 4, width = 5, height = 3}))
  end)
end)
