local lop = require "lop"                                       -- tests/bindings/zoo/nn_spec.lua
local nn = lop.nn

-- A small residual net with a Concat, a gate, and a depthwise convolution.
local function small()
  local x = nn.input {3, 16, 16}
  local y = x:conv(8, 3, {pad = "same", bias = false}):bn():relu()
  y = y + y:conv(8, 3, {pad = 1, name = "inner"}):bn():relu6()
  y = y * y:global_avg_pool():conv(8, 1):sigmoid()
  y = (y .. y:pool(3, {stride = 1, pad = 1, kind = "avg"})):depthwise(3, {stride = 2, pad = 1})
  return y:global_avg_pool():flatten():linear(5)
end

local function bytes(net)
  local path = os.tmpname()
  net:save(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("a")
  f:close()
  os.remove(path)
  return text
end

describe("lop.nn", function()
  it("builds a net with names that stay, and shapes known beforehand", function()
    local y = small()
    assert.equal("lop.nn.value linear1.out (N x 5)", tostring(y))
    local names = {}
    for i, layer in ipairs(nn.graph(y):layers()) do names[i] = layer.name end
    assert.same({"conv1", "bn1", "relu1", "inner", "bn2", "relu61", "add1", "global_avg_pool1", "conv2", "sigmoid1",
                 "mul1", "pool1", "concat1", "depthwise1", "global_avg_pool2", "flatten1", "linear1"}, names)
  end)
  it("gives the same bytes for the same seed, with any number of threads", function()
    local first = bytes(nn.graph(small(), {seed = 4}))
    lop.threads(3)
    assert.equal(first, bytes(nn.graph(small(), {seed = 4})))
    lop.threads(1)
    assert.not_equal(first, bytes(nn.graph(small(), {seed = 5})))
  end)
  it("draws a layer's weights by its own name: layers beside it change nothing", function()
    local function weight(more)
      local x = nn.input {3, 8, 8}
      local y = x
      if more then y = y:conv(3, 1, {name = "before"}) end
      return nn.graph(y:conv(4, 3, {name = "c"}), {seed = 2}):layer("c").weight
    end
    assert.same(weight(false):totable(), weight(true):totable())
  end)
  it("draws with variance 2 over the summands of an output", function()
    local x = nn.input {32, 4, 4}
    local w = nn.graph(x:conv(64, 3, {name = "c"})):layer("c").weight
    assert.near(math.sqrt(2 / 288), w:reshape(-1):std(), 0.02 * math.sqrt(2 / 288))
  end)
  it("measures what flows into each batch norm", function()
    local x = nn.input {3, 16, 16}
    local h = x:conv(6, 3, {pad = 1, bias = false}):bn {name = "a"}:relu():conv(4, 3, {pad = 1})
    local net = nn.graph(h:bn {name = "b"}, {seed = 1, images = 64})
    local noise = lop.randn({64, 3, 16, 16}, {seed = 77})
    local y = net:forward(noise, {want = {h.name}})
    local layer = net:layer("b")
    -- With the net's own figures, other noise is about normal: mean 0, deviation 1, before scale and shift.
    local rows = y:transpose(1, 2):reshape(4, -1)
    local mean, std = rows:mean(2):totable(), rows:std(2):totable()
    local out = net:forward(noise):transpose(1, 2):reshape(4, -1)
    local ratio = (out:std(2):to("float64")):totable()
    local scale = layer.weight:totable()
    for i = 1, 4 do
      assert.near(scale[i], ratio[i], 0.03)
      assert.is_true(std[i] > 0 and mean[i] == mean[i])
    end
  end)
  it("keeps weights that are given", function()
    local x = nn.input {2, 1, 1}
    local y = x:conv(1, 1, {weight = lop.tensor({{{{2}}, {{3}}}}, "float32"), bias = lop.tensor({1}, "float32")})
    assert.same({{{{2 * 5 + 3 * 7 + 1}}}}, nn.graph(y):forward(lop.tensor({{{{5}}, {{7}}}}, "float32")):totable())
  end)
  it("computes what its functions say", function()
    local x = nn.input {4, 2, 2}
    local t = lop.arange(16):reshape(1, 4, 2, 2) - 8
    local function run(y) return nn.graph(y):forward(t):totable() end
    local plain = t:totable()[1]
    local a, b = x:split(2)
    assert.same({{plain[3], plain[4]}}, run(b))
    assert.same({{plain[1], plain[3], plain[2], plain[4]}}, run(x:shuffle(2)))
    assert.same({{plain[2], plain[3]}}, run(x:slice(2, 3)))
    assert.same({{{{-8}}, {{-4}}, {{0}}, {{4}}}}, run(x:subsample(2)))
    assert.same({{{{0, 0}, {0, 0}}, plain[1], plain[2], plain[3], plain[4]}}, run(x:pad {channels = {1, 0}}))
    assert.same({{{{-5}}, {{-1}}, {{3}}, {{7}}}}, run(x:pool(2)))
    assert.same({{{{-6.5}}, {{-2.5}}, {{1.5}}, {{5.5}}}}, run(x:pool(2, {kind = "avg"})))
    assert.same(t:totable(), run(nn.concat {a, b}))
    assert.same((t * 3):totable(), run(nn.add(x, x, x)))
    assert.same((t * t):totable(), run(x * x))
    assert.same({6, 6}, run(x:relu6())[1][4][2])
    assert.same({-8, -8, -7, -7}, run(x:upsample(2))[1][1][2])
  end)
  it("takes several inputs and outputs", function()
    local x = nn.input {2, 4, 4}
    local z = nn.input({2, 4, 4}, {beside = x, name = "other"})
    local net = nn.graph({x + z, x * z}, {outputs = {"sum", "product"}, name = "two"})
    local sum, product = net:forward(lop.ones {1, 2, 4, 4}, lop.full({1, 2, 4, 4}, 3))
    assert.equal(4, sum:max())
    assert.equal(3, product:min())
    assert.same({"sum", "product"}, {net:outputs()[1].name, net:outputs()[2].name})
  end)
  it("says what is wrong at the user's line, naming the layer", function()
    local x = nn.input {3, 8, 8}
    x:conv(4, 3, {name = "first"})
    local cases = {
      {function() x:conv(4, 3, {strde = 2}) end, "lop.nn.conv: unknown option 'strde' %(did you mean 'stride'%?%)"},
      {function() x:conv(4, 9) end, "lop.nn.conv: layer 'conv1': a kernel of 9x9 is larger than its input"},
      {function() x:conv(0, 3) end, "layer 'conv1': filters is 0"},
      {function() x:conv(4, {1, 2, 3}) end, "layer 'conv1': kernel: a whole number"},
      {function() x:conv(4, 3, {pad = "sme"}) end, "pad is 'sme'"},
      {function() x:conv(4, 3, {group = 2}) end, "2 groups"},
      {function() x:conv(4, 3, {name = "first"}) end, "a layer 'first' is there already"},
      {function() x:conv(4, 3, {weight = lop.ones {4, 3, 3, 1}}) end, "weight has shape 4x3x3x1, 4x3x3x3 expected"},
      {function() x:linear(3) end, "lop.nn.linear: layer 'linear1': its input 'input' has shape N x 3 x 8 x 8: flat"},
      {function() x:bn {epsilon = 0} end, "layer 'bn1': epsilon is 0"},
      {function() x:pool(2, {kind = "mean"}) end, "kind is mean, max or avg expected"},
      {function() x:split(2) end, "layer 'split1': 3 channels do not make 2 equal parts"},
      {function() x:slice(2, 4) end, "channels 2 to 4 of 3"},
      {function() return x + nn.input {3, 8, 8} end, "lop.nn.add: layer 'add1': its inputs are of two nets"},
      {function() return x + x:pool(2) end, "layer 'add1'"},
      {function() nn.conv(1, 2, 3) end, "lop.nn.conv: x: a value of lop.nn expected, got number"},
      {function() nn.concat(x, x:pool(2)) end, "layer 'concat1': input #1"},
      {function() nn.graph(x) end, "lop.nn.graph: outputs: 'input' is an input"},
      {function() nn.graph(x:relu(), {sed = 1}) end, "unknown option 'sed' %(did you mean 'seed'%?%)"},
      {function() nn.input {} end, "lop.nn.input: shape"},
    }
    for i, case in ipairs(cases) do
      local ok, message = pcall(case[1])
      assert.is_false(ok, "case " .. i)
      assert.matches("nn_spec.lua:%d+: .*" .. case[2], tostring(message))
    end
  end)
end)
