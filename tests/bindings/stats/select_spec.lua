local lop = require "lop"                                       -- tests/bindings/stats/select_spec.lua
local choose = require "lop.engine.choose"
local layer = dofile "tests/bindings/layer.lua"

local function message_of(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- The problems of tests/golden/lasso.h: lists of {lambda, beta of each channel}.
local function golden()
  local file = assert(io.open "tests/golden/lasso.h")
  local text = file:read "a"
  file:close()
  local list = {}
  for _, columns, body in text:gmatch "lasso_(%d)%[%d+%]%[(%d+)%] = (%b{});" do
    local problem = {}
    for row in body:sub(2, -2):gmatch "%b{}" do
      local values = {}
      for v in row:gmatch "[-%d.e]+" do values[#values + 1] = tonumber(v) end
      assert(#values == tonumber(columns))
      problem[#problem + 1] = values
    end
    list[#list + 1] = problem
  end
  return list
end

-- The layers they were made of (tests/core/lasso/test_lasso_golden.c).
local made = {{1, 8, 1, 3, 120}, {2, 14, 4, 5, 150}, {3, 24, 9, 4, 400}}

local function support(values)
  local list = {}
  for i = 2, #values do
    if values[i] ~= 0 then list[#list + 1] = i - 1 end
  end
  return list
end

describe("lop.lasso", function()
  local problems = golden()
  it("has scikit-learn's coefficients, from statistics and from sums", function()
    assert.equal(3, #problems)
    for k, args in ipairs(made) do
      local s = layer.stats(table.unpack(args))
      local gram, cross, energy = s:lasso_gram()
      for _, path in ipairs {lop.lasso(s), lop.lasso {gram = gram, cross = cross, energy = energy, rows = s.rows}} do
        for _, values in ipairs(problems[k]) do
          local beta, active = path:solve(values[1])
          for i = 2, #values do assert.near(values[i], beta:get(i - 1), 1e-6) end
          assert.equal(#support(values), active)
        end
      end
    end
  end)
  it("cuts the path at any width, where scikit-learn's has it at the same channels", function()
    for k, args in ipairs(made) do
      local path, seen = lop.lasso((layer.stats(table.unpack(args)))), {}
      for _, values in ipairs(problems[k]) do
        local channels = support(values)
        if not seen[#channels] then
          local p = path:at(#channels)
          assert.same(channels, p.channels)
          local beta = path:solve(p.lambda)
          for i, channel in ipairs(p.channels) do assert.near(beta:get(channel), p.beta[i], 1e-5) end
          seen[#channels] = true
        end
      end
      for width = 1, args[2] do
        local p = path:at(width)
        assert.same({width, width}, {#p.channels, #p.beta})
      end
      assert.same({args[2], args[2]}, {path.channels, path.live})
    end
  end)
  it("plots the error, which falls with the width", function()
    local path = lop.lasso((layer.stats(table.unpack(made[2]))))
    local text = path:plot {height = 5}
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(8, #lines)
    local last = 0
    for r = 2, 6 do
      local at = lines[r]:find("*", 1, true)
      assert.is_true(not at or at > last)
      last = at or last
    end
    assert.matches("^ +[%d.]+ |%*", lines[2])
    assert.matches("1 +14$", lines[8])
    assert.matches("lop.path %(14 channels, 14 live", tostring(path))
  end)
  it("names what is wrong", function()
    local path = lop.lasso((layer.stats(table.unpack(made[1]))))
    assert.matches("width is 9, 1 to 8 expected", message_of(function() path:at(9) end))
    assert.matches("select_spec.lua:%d+: lop.lasso: stats: lop.stats expected", message_of(function() lop.lasso(3) end))
    assert.matches("gram is missing", message_of(function() lop.lasso {cross = lop.tensor {1}} end))
    local bad = {gram = lop.tensor {{1, 0}, {0, 0 / 0}}, cross = lop.tensor {1, 1}, energy = 1, rows = 1}
    assert.matches("gram: entry #3", message_of(function() lop.lasso(bad) end))
  end)
end)

describe("lop.select", function()
  local s = layer.stats(5, 12, 2, 4, 300, {bn_scale = lop.arange(12):to "float64"})
  it("delivers the width asked for, by every method", function()
    for _, method in ipairs(choose.methods) do
      for _, refine in ipairs {false, "swap"} do
        for width = 1, 12, 3 do
          local c = lop.select(s, width, {method = method, refine = refine or nil})
          assert.equal(width, #c)
          for i = 2, width do assert.is_true(c.channels[i] > c.channels[i - 1]) end
          local _, _, e = lop.reconstruct(s, c, {ridge = 1e-5})
          assert.equal(e, c.error)
        end
      end
    end
  end)
  it("takes lists and functions, and says what it chose", function()
    local c = lop.select(s, nil, {method = {7, 2, 3}})
    assert.same({2, 3, 7}, c.channels)
    assert.matches("^lop.choice %(3 of 12 channels by a list, error [%d.e-]+%): #1 #2 #6$", tostring(c))
    c = lop.select(s, 4, {method = function(stats, width)
      assert.equal(s, stats)
      return {width, width + 1, 1, 2}
    end})
    assert.same({1, 2, 4, 5}, c.channels)
  end)
  it("refines by swaps that lower the error", function()
    local c = lop.select(s, 5, {method = "first"})
    local swapped = lop.select(s, 5, {method = "first", refine = "swap"})
    assert.is_true(swapped.swaps > 0 and swapped.error < c.error)
    assert.equal(0, lop.select(s, 5, {method = swapped.channels, refine = "swap"}).swaps)
  end)
  it("keeps what stays", function()
    for _, method in ipairs(choose.methods) do
      local kept = {}
      for _, channel in ipairs(lop.select(s, 4, {method = method, stay = {11, 3}}).channels) do kept[channel] = true end
      assert.is_true(kept[3] and kept[11], method)
    end
    assert.same({3, 11}, lop.select(s, 2, {method = "lasso", stay = {3, 11}, lambda = 0.1}).channels)
  end)
  it("names what is wrong, at the user's line", function()
    local cases = {
      {3, {methd = "l1"}, "unknown option 'methd' %(did you mean 'method'%?%)"},
      {3, {method = "lass"}, "no selection is called 'lass'"}, {13, {}, "width is 13, 1 to 12 expected"},
      {3, {method = {1, 2}}, "method: 2 channels given, 3 expected"},
      {2, {method = {1, 1}}, "channel 1 is listed twice"}, {2, {method = {0, 1}}, "method%[1%] is 0, 1 to 12 expected"},
      {2, {method = function() end}, "a list of channels"},
      {3, {refine = "swop"}, "refine: unknown refinement 'swop'"}, {3, {stay = {13}}, "stay: entry 1 is 13"},
      {3, {score = {1, 2}}, "score: 2 numbers, 12 expected"},
      {3, {lambda = 0.1}, "lambda: method 'elimination' has none"},
      {1, {stay = {1, 2}}, "more channels than that are to stay"},
      {nil, {method = "l1"}, "a width is missing: only a fixed lambda"},
      {3, {method = "lasso", lambda = "path"}, "lambda: a number, a function or one of lop.lambda expected"},
    }
    for _, case in ipairs(cases) do
      local text = message_of(function() lop.select(s, case[1], case[2]) end)
      assert.matches("select_spec.lua:%d+: lop.select: .*" .. case[3], text)
    end
  end)
  it("stops when asked to, and passes on what a progress function raises", function()
    for _, method in ipairs {"elimination", "forward", "lasso", "lasso-alternating"} do
      local calls = 0
      local ok, e = pcall(lop.select, s, 3, {method = method, progress = function(what, done, total)
        calls = calls + 1
        assert(type(what) == "string" and done <= total)
        return calls < 2
      end})
      assert.is_false(ok)
      assert.same({"interrupted", 2}, {e.code, calls})
      ok, e = pcall(lop.select, s, 3, {method = method, progress = function() error({mine = true}) end})
      assert.is_false(ok)
      assert.is_true(e.mine)
    end
    assert.has_error(function() lop.curve(s, {progress = function() return false end}) end)
  end)
end)

describe("schedules of lambda", function()
  local s = layer.stats(6, 10, 2, 4, 200)
  local path = lop.lasso(s)
  local function active(l) return select(2, path:solve(l)) end
  it("grow until at most the width is left", function()
    for _, plan in ipairs {lop.lambda.geometric(path.top * 1e-3, 1.07), lop.lambda.arithmetic(0, path.top / 150)} do
      for width = 1, 9 do
        local c = lop.select(s, width, {method = "lasso", lambda = plan})
        local last = plan.kind == "geometric" and c.lambda / plan.factor or c.lambda - plan.step
        assert.equal(width, #c)
        assert.is_true(active(c.lambda) <= width)
        assert.is_true(active(last) > width)
      end
    end
  end)
  it("are found by bisection as the path finds them", function()
    for width = 1, 9 do
      local c = lop.select(s, width, {method = "lasso", lambda = lop.lambda.bisection(1e-6)})
      assert.same(path:at(width).channels, c.channels)
      c = lop.select(s, width, {method = "lasso", lambda = lop.lambda.path()})
      assert.same(path:at(width).channels, c.channels)
    end
  end)
  it("find a width of their own, where fixed", function()
    for _, l in ipairs {lop.lambda.fixed(path.top / 3), path.top / 3} do
      local c = lop.select(s, nil, {method = "lasso", lambda = l})
      assert.equal(active(path.top / 3), #c)
      assert.equal(path.top / 3, c.lambda)
    end
    assert.equal(4, #lop.select(s, 4, {method = "lasso", lambda = path.top * 2}))       -- filled up
    assert.equal(4, #lop.select(s, 4, {method = "lasso", lambda = 0}))                  -- cut
  end)
  it("may be functions of step and state", function()
    local seen = {}
    local c = lop.select(s, 3, {method = "lasso", lambda = function(step, state)
      seen[step] = state.active
      assert(state.width == 3 and state.channels == 10 and state.top == path.top)
      if step == 1 then state.mine = 1 end
      return step < 4 and path.top * (1e-4 * state.mine * step) or nil
    end})
    assert.same({4, 3, 10}, {#seen, #c, seen[1]})
    assert.near(path.top * 3e-4, c.lambda, 1e-15)
    local text = message_of(function() lop.select(s, 3, {method = "lasso", lambda = function() return 0 end}) end)
    assert.matches("does not end: 10000 steps", text)
    text = message_of(function() lop.select(s, 3, {method = "lasso", lambda = function() return -1 end}) end)
    assert.matches("lambda of step 1 is %-1", text)
    text = message_of(function() lop.select(s, 3, {method = "lasso", lambda = function() end}) end)
    assert.matches("no first step", text)
  end)
  it("drive the alternation too", function()
    for _, plan in ipairs {lop.lambda.geometric(1e-3, 1.2), lop.lambda.bisection(0.01), lop.lambda.fixed(1e-3), 0.5} do
      for width = 2, 8, 3 do
        local c = lop.select(s, width, {method = "lasso-alternating", lambda = plan})
        assert.equal(width, #c)
        assert.equal("number", type(c.lambda))
      end
    end
    local c = lop.select(s, nil, {method = "lasso-alternating", lambda = lop.lambda.fixed(1e-3)})
    assert.is_true(#c >= 1)
  end)
  it("are values: they say what they are, and refuse what they cannot be", function()
    assert.equal("lop.lambda.geometric(0.01, 1.5)", tostring(lop.lambda.geometric(0.01, 1.5)))
    assert.equal("lop.lambda.path()", tostring(lop.lambda.path()))
    local cases = {{"fixed", {-1}, "lambda is %-1"}, {"geometric", {1, 1}, "factor is 1, a number above 1"},
                   {"geometric", {0, 2}, "first is 0, a number above 0"}, {"arithmetic", {0, 0}, "step is 0"},
                   {"bisection", {"x"}, "tolerance is x, a number"}}
    for _, case in ipairs(cases) do
      local text = message_of(function() lop.lambda[case[1]](table.unpack(case[2])) end)
      assert.matches("select_spec.lua:%d+: lop.lambda." .. case[1] .. ": " .. case[3], text)
    end
  end)
end)

describe("lop.curve", function()
  local s = layer.stats(7, 9, 2, 3, 250)
  it("is the error of least squares on what each width keeps", function()
    for _, method in ipairs {"elimination", "forward", "l2", "lasso", "lasso-alternating"} do
      local errors, order = lop.curve(s, {method = method})
      assert.equal(9, #errors)
      assert.equal(method:find "^lasso" ~= nil, order == nil)
      for width = 1, 9 do
        local c = lop.select(s, width, {method = method})
        assert.near(c.error, errors[width], 1e-9)
        if order then
          local kept = table.move(order, 10 - width, 9, 1, {})
          table.sort(kept)
          assert.same(c.channels, kept)
        end
      end
    end
  end)
  it("takes functions and swaps, but no list", function()
    local errors = lop.curve(s, {method = function(_, width)
      local list = {}
      for i = 1, width do list[i] = i end
      return list
    end})
    local first = lop.curve(s, {method = "first"})
    for width = 1, 9 do assert.near(first[width], errors[width], 1e-9) end
    local swapped = lop.curve(s, {method = "first", refine = "swap"})
    for width = 1, 9 do assert.is_true(swapped[width] <= first[width] + 1e-12) end
    assert.matches("a list of channels has one width", message_of(function() lop.curve(s, {method = {1}}) end))
  end)
end)

describe("lop.reconstruct", function()
  local s, _, y = layer.stats(8, 6, 2, 3, 150, {bias = lop.tensor({0.5, -0.5, 0}, "float32")})
  it("gives back the target's fit: its error is that of the weights on the sums", function()
    for _, method in ipairs {"least-squares", "scale", "none"} do
      local w, b, e = lop.reconstruct(s, {1, 4, 6}, {method = method, ridge = 1e-4})
      assert.same({{3, 3, 1, 2}, {3}}, {w:shape(), b:shape()})
      assert.near(e, s:error({1, 4, 6}, w, b), 1e-6)
    end
  end)
  it("keeps the layer's bias without an intercept", function()
    local _, b = lop.reconstruct(s, {1, 4, 6}, {intercept = false})
    assert.same({0.5, -0.5, 0}, b:totable())
    local _, other = lop.reconstruct(s, {1, 4, 6}, {intercept = false, bias = y:narrow(1, 1, 1):reshape {3}})
    assert.same(y:narrow(1, 1, 1):reshape {3}:totable(), other:totable())
  end)
  it("names what is wrong", function()
    local cases = {{{}, {}, "channels: a list"}, {{1, 7}, {}, "channels%[2%] is 7, 1 to 6"},
                   {{1}, {method = "best"}, "no reconstruction is called 'best'"}, {{1}, {rigde = 1}, "'ridge'"}}
    for _, case in ipairs(cases) do
      local text = message_of(function() lop.reconstruct(s, case[1], case[2]) end)
      assert.matches("select_spec.lua:%d+: lop.reconstruct: .*" .. case[3], text)
    end
  end)
end)
