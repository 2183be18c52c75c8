local lop = require "lop"                                       -- tests/bindings/net/describe_spec.lua
local layer = dofile "tests/bindings/layer.lua"

describe("what a net consists of", function()
  local net = layer.concat_net()
  it("is summed up line by line", function()
    local lines = {}
    for line in net:summary():gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(#net:layers() + 2, #lines)
    assert.matches("^layer +operator +output +MACs +params$", lines[1])
    assert.matches("^left +Conv +1x6x8x8 +1920 +36$", lines[4])         -- 5 * 6 * 64 multiply-adds, 6 * (5 + 1) numbers
    assert.equal(("total: %d MACs, %d params"):format(net:macs(), net:params()), lines[#lines])
  end)
  it("tells layers and groups apart by what print shows", function()
    assert.equal("lop.layer left (Conv, 1x6x8x8, 1920 MACs, 36 params)", tostring(net:layer "left"))
    local texts = {}
    for _, g in ipairs(net:groups()) do texts[g.name] = tostring(g) end
    assert.equal("lop.group left (6 channels, inner, made by left, read by tail)", texts.left)
    assert.matches("^lop.group fc %(4 channels, .*read by nothing%): stays whole: .", texts.fc)
  end)
  it("stays a table with fields", function()
    local l = net:layer "tail"
    assert.same({"tail", "Conv", "table"}, {l.name, l.op, type(l)})
    assert.is_nil(lop.metatable)
  end)
end)
