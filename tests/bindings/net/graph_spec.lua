local lop = require "lop"                                       -- tests/bindings/net/graph_spec.lua

local function relu(spec)
  local graph = {inputs = {{name = "x", shape = {"N", 2}}}, outputs = {"y"},
                 nodes = {{op = "Relu", inputs = {"x"}, outputs = {"y"}}}}
  for key, value in pairs(spec or {}) do graph[key] = value end
  return graph
end

describe("lop.graph", function()
  it("makes a net that runs, saves and loads", function()
    local net = lop.graph {
      inputs = {{name = "x", shape = {"N", 1, 3, 3}}}, outputs = {"y"}, constants = {w = lop.ones {2, 1, 3, 3}},
      nodes = {{op = "LeakyRelu", inputs = {"c"}, outputs = {"y"}, attributes = {alpha = 0.5}},
               {op = "Conv", name = "first", inputs = {"x", "w"}, outputs = {"c"}, attributes = {pads = {1, 1, 1, 1}}}}}
    local x = -lop.ones {1, 1, 3, 3}
    local want = {{-2, -3, -2}, {-3, -4.5, -3}, {-2, -3, -2}}
    local path = os.tmpname()
    net:save(path)
    for _, n in ipairs {net, lop.load(path)} do
      assert.same({{want, want}}, n:forward(x):totable())
      assert.equal("first", n:layers()[1].name)
    end
    os.remove(path)
  end)
  it("writes attributes by their names, whatever the order of Lua's table in this run", function()
    local names = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
    local net = lop.graph {
      inputs = {{name = "x", shape = {"N", 1, 3, 3}}}, outputs = {"y"}, constants = {w = lop.ones {1, 1, 3, 3}},
      nodes = {{op = "Conv", inputs = {"x", "w"}, outputs = {"y"}, attributes = {
        strides = {1, 1}, pads = {1, 1, 1, 1}, kernel_shape = {3, 3}, group = 1, dilations = {1, 1},
        auto_pad = "NOTSET"}}}}
    local path, last = os.tmpname(), 0
    net:save(path)
    local f = assert(io.open(path, "rb"))
    local bytes = f:read "a"
    f:close()
    os.remove(path)
    for _, name in ipairs(names) do
      local at = bytes:find(name, 1, true)
      assert.is_true(at > last, name)
      last = at
    end
  end)
  it("keeps large weights in a file beside the model where that is asked for", function()
    local net = lop.graph {
      inputs = {{name = "x", shape = {"N", 1, 3, 3}}}, outputs = {"y"}, constants = {w = lop.randn {64, 1, 3, 3}},
      nodes = {{op = "Conv", inputs = {"x", "w"}, outputs = {"y"}}}}
    local path, x = os.tmpname(), lop.randn {2, 1, 3, 3}
    net:save(path, {external = true})
    assert.same(net:forward(x):totable(), lop.load(path):forward(x):totable())
    os.remove(path .. ".data")
    assert.error_matches(function() lop.load(path) end, "initializer 'w' lies in '.*%.data': no such file")
    assert.error_matches(function() net:save(path, {extrenal = true}) end, "did you mean 'external'%?")
    os.remove(path)
  end)
  it("says what is wrong", function()
    local cases = {
      {{outputs = {"z"}}, "outputs: nothing makes 'z'"},
      {{outputs = {"y", "y"}}, "output 'y' is listed twice"},
      {{inputs = {{name = "x", shape = {-2}}}}, "input 'x': dimension 1 is %-2"},
      {{inputs = {{name = "x", shape = {1}}, {name = "x", shape = {1}}}}, "value 'x' is there already"},
      {{inputs = {{name = "x", shape = {1, 1, 1, 1, 1, 1, 1, 1, 1}}}}, "9 dimensions, 8 at most"},
      {{constants = {x = lop.ones {1}}}, "constants.x: an input has that name"},
      {{constants = {k = 1}}, "constants.k: tensor expected, got number"},
      {{nodes = {{op = "Relu", inputs = {"q"}, outputs = {"y"}}}}, "reads 'q', which nothing makes"},
      {{nodes = {{op = "Relu", inputs = {"x"}, outputs = {"y"}, attributes = {a = print}}}}, "attribute 'a'"},
      {{nodes = {{inputs = {"x"}, outputs = {"y"}}}}, "nodes.op: string expected"},
      {{node = {}}, "unknown option 'node'"},
    }
    for _, case in ipairs(cases) do
      local ok, message = pcall(lop.graph, relu(case[1]))
      assert.is_false(ok)
      assert.matches(case[2], tostring(message))
    end
  end)
end)
