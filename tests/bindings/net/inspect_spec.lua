local lop = require "lop"                                       -- tests/bindings/net/inspect_spec.lua
local json = require "lop.json"
local inspect = require "lop.verbs.inspect"

-- What lop inspect says of a file: the document, lines, warnings.
local function look(path, opts)
  local said = {lines = {}, warnings = {}}
  local out = {
    document = function(_, d) said.document = d end,
    line = function(_, text, ...) said.lines[#said.lines + 1] = text:format(...) end,
    columns_of = function(_, rows) said.rows = rows end,
    warn = function(_, text, ...) said.warnings[#said.warnings + 1] = text:format(...) end,
  }
  said.status = inspect.run(opts or {}, {path}, out)
  json.encode(said.document)
  return said
end

describe("lop inspect", function()
  it("counts the bytes that are alive at once", function()
    local net = lop.graph {                 -- x 12 floats, a 24, b 24, y 24: a, b and y meet
      opset = 13, inputs = {{name = "x", shape = {"N", 3, 2, 2}}}, outputs = {"y"},
      constants = {w = lop.ones {6, 3, 1, 1}},
      nodes = {{op = "Conv", inputs = {"x", "w"}, outputs = {"a"}}, {op = "Relu", inputs = {"a"}, outputs = {"b"}},
               {op = "Add", inputs = {"a", "b"}, outputs = {"y"}}}}
    assert.equal(4 * (24 + 24 + 24), net:describe().peak_bytes)
    local path = os.tmpname()
    net:save(path)
    local said = look(path)
    os.remove(path)
    assert.equal(288, said.document.peak_bytes)
    assert.same({"?", 3, 2, 2}, said.document.inputs[1].declared)
    assert.equal("input   x  1x3x2x2  of ?x3x2x2", said.lines[1])
    assert.equal("total   72 MACs, 18 params, at most 288 bytes of values at once", said.lines[3])
    assert.same({}, said.warnings)
  end)

  it("shows free sizes by their names, asks for them, and takes them", function()
    local path = "tests/golden/models/torch_free.onnx"
    local said = look(path)
    assert.equal("input   image  Nx3xheightxwidth", said.lines[1])
    assert.equal("total   ? MACs, 1116 params, at most ? bytes of values at once", said.lines[3])
    assert.same({"input 'image' has free sizes: --shape image=1x3x64x64, or others"}, said.warnings)
    assert.is_nil(said.document.macs)
    for _, word in ipairs {"image=1x3x64x48", "1x3x64x48"} do
      local sized = look(path, {shape = {word}})
      assert.equal(2377728, sized.document.macs)
      assert.same({1, 4, 64, 48}, sized.document.outputs[1].shape)
      assert.same({}, sized.warnings)
    end
    for word, text in pairs {["image=1x4x64x48"] = "in the model, 1x4x64x48 given",
                             ["imag=1x3x8x8"] = "no input 'imag'", ["image=3,4"] = "NAME=1x3x64x64 expected"} do
      local ok, e = pcall(look, path, {shape = {word}})
      assert.is_false(ok)
      assert.equal("usage", e.code)
      assert.matches(text, e.message, 1, true)
    end
  end)

  it("goes through with every model of ONNX's vectors: recurrent nets, loops, sequences, strings", function()
    local folder = os.getenv("LOP_ONNX_DATA") or "/usr/share/libonnx-testdata/data"
    local list = io.popen("ls " .. folder .. "/*/*/model.onnx 2>/dev/null")
    local count, absent = 0, 0
    for path in list:lines() do
      local said = look(path)
      assert.equal(0, said.status)
      count, absent = count + 1, absent + #said.document.unsupported
      assert.is_true(#said.document.layers == 0 or #said.lines > 1, path)
    end
    list:close()
    if count == 0 then return pending("skipped: no models in " .. folder .. " (Debian: libonnx-testdata)") end
    assert.is_true(count > 100 and absent > 10)
  end)

  it("names operators that are not there, with their domain", function()
    local net = lop.graph {
      opset = 13, inputs = {{name = "x", shape = {1, 3}}}, outputs = {"y"},
      nodes = {{op = "LSTM", inputs = {"x"}, outputs = {"h"}}, {op = "Relu", inputs = {"h"}, outputs = {"y"}}}}
    local path = os.tmpname()
    net:save(path)
    local said = look(path)
    os.remove(path)
    assert.same({{op = "LSTM", node = "LSTM"}}, said.document.unsupported)
    assert.is_nil(said.document.macs)
    assert.is_nil(said.document.peak_bytes)
    assert.same({"node 'LSTM': operator LSTM is not in this version"}, said.warnings)
  end)

  -- By name: what is said of inputs, outputs and totals, the warning, operators that are not there.
  local odd = {
    lstm = {{"input   x  TxNx3", "output  out  Nx2", "total   ? MACs, 152 params, at most ? bytes of values at once"},
            "node 'lstm': operator LSTM is not in this version", {{op = "LSTM", node = "lstm"}}},
    loop = {{"input   n  scalar", "input   x  1x3", "output  z  1x3"},
            "node 'loop': operator Loop is not in this version", {{op = "Loop", node = "loop"}}},
    scan = {{"input   a0  3", "input   xs  1x3  of Lx3", "output  an  3", "output  ys  1x3"},
            "node 'scan': operator Scan is not in this version", {{op = "Scan", node = "scan"}}},
    branch = {{"input   c  scalar", "input   x  1x4", "output  y  1x4"},
              "node 'choose': operator If is not in this version", {{op = "If", node = "choose"}}},
    strings = {{"input   s  N, string", "output  y  M, string"},
               "node 'upper': operator StringNormalizer is not in this version",
               {{op = "StringNormalizer", node = "upper"}}},
    sequence = {{"input   s  seq(tensor(float32))", "output  y  ?x3"},
                "node 'join': operator ConcatFromSequence is not in this version",
                {{op = "ConcatFromSequence", node = "join"}}},
    optional = {{"input   o  optional(tensor(float32))", "output  y  ?x3"},
                "node 'get': operator OptionalGetElement is not in this version",
                {{op = "OptionalGetElement", node = "get"}}},
    shapeless = {{"input   x  no tensor, or no shape declared", "output  y  no tensor, or no shape declared",
                  "total   ? MACs, 108 params, at most ? bytes of values at once"},
                 "input 'x' declares no type and shape: give its shape", {}},
    free = {{"input   x  Nx3xheightxwidth", "output  y  Nx4xheightxwidth"},
            "input 'x' has free sizes: --shape x=1x3x64x64, or others", {}},
    misfit = {{"input   x  1x5x8x8", "output  y  1x4x8x8"},
              "node 'conv' (Conv): input has 5 channels, weight takes 3 in each of 1 groups", {}},
    nested = {{"input   s  seq(seq(tensor(float32)))", "output  y  1"},
              "node 'f': operator com.example.Foreign is not in this version",
              {{op = "com.example.Foreign", node = "f"}}},
    kept_strings = {{"output  y  2, string", "total   0 MACs, 0 params, at most ? bytes of values at once"},
                    "node 'id' (Identity): its input 'k' is string: such do not run here", {}},
    kept_given = {{"output  y  2, string"}, "node 'id' (Identity): its input 'k' is string: such do not run here", {}},
    kept_branch = {{"output  y  2, string"}, "node 'id' (Identity): its input 'k' is string: such do not run here", {}},
    kept_complex = {{"output  y  2, complex64"},
                    "node 'id' (Identity): its input 'k' is complex64: such do not run here", {}},
    kept_apart = {{"output  y  100, complex128"},
                  "node 'id' (Identity): its input 'k' is complex128: such do not run here", {}},
    kept_deep = {{"output  y  float32, 9 dimensions"},
                 "node 'id' (Identity): its input 'k' is float32, 9 dimensions: such do not run here", {}},
    kept_int4 = {{"output  y  5, int4"}, "node 'id' (Identity): its input 'k' is int4: such do not run here", {}},
    kept_sparse = {{"output  y  1048576x1048576"},
                   "node 'id' (Identity): its input 'k' is sparse float32: such do not run here", {}},
    foreign = {{"input   x  1x2", "output  y  1x2"}, "node 'f': operator com.example.Fancy is not in this version",
               {{op = "com.example.Fancy", node = "f"}}},
  }
  local names = {}
  for name in pairs(odd) do names[#names + 1] = name end
  table.sort(names)

  it("goes through models of any kind, and tells what it knows", function()
    local folder = os.tmpname()
    os.remove(folder)
    local made = os.execute(("mkdir %s && %s tests/models/odd_nets.py %s 2>/dev/null"):format(
                            folder, os.getenv "LOP_PYTHON" or "/usr/bin/python3", folder))
    if not made then
      os.execute("rm -rf " .. folder)
      return pending("skipped: python3 has no onnx (Debian: python3-onnx)")
    end
    for _, name in ipairs(names) do
      local lines, warning, unsupported = table.unpack(odd[name])
      local said = look(("%s/%s.onnx"):format(folder, name))
      assert.equal(0, said.status)
      for i, line in ipairs(lines) do assert.equal(line, said.lines[i], name) end
      assert.same({warning}, said.warnings, name)
      assert.same(unsupported, said.document.unsupported, name)
      if #unsupported > 0 then assert.is_nil(said.document.macs, name) end
      for _, layer in ipairs(said.document.layers) do
        for _, u in ipairs(unsupported) do assert.is_true(layer.name ~= u.node or layer.macs == nil, name) end
      end
    end
    local huge = look(folder .. "/free.onnx", {shape = {"1x3x999999999999x999999999999"}})
    assert.is_nil(huge.document.peak_bytes)
    assert.equal(huge.document.reason, huge.warnings[1])
    local sized = look(folder .. "/shapeless.onnx", {shape = {"2x3x8x10"}})
    assert.equal(2 * 4 * 27 * 80, sized.document.macs)
    assert.same({2, 4, 8, 10}, sized.document.outputs[1].shape)
    -- Saved, they are the same models: by their fields, and the same bytes again.
    local pairs_of = {}
    for _, name in ipairs(names) do
      local file = ("%s/%s"):format(folder, name)
      lop.load(file .. ".onnx"):save(file .. ".again")
      lop.load(file .. ".again"):save(file .. ".third")
      assert.is_true(os.execute(("cmp '%s.again' '%s.third'"):format(file, file)), name)
      -- The branch is taken, what lay apart lies inside.
      if name ~= "kept_branch" then pairs_of[#pairs_of + 1] = ("'%s.onnx' '%s.again'"):format(file, file) end
    end
    assert.is_true(os.execute(("%s tests/models/same_graph.py %s >%s/same"):format(
                              os.getenv "LOP_PYTHON" or "/usr/bin/python3", table.concat(pairs_of, " "), folder)))
    local sparse = look(folder .. "/sparse_weights.onnx")
    os.execute("rm -rf " .. folder)
    assert.same({}, sparse.warnings)
    assert.same({2, 3}, sparse.document.outputs[1].shape)
  end)
end)
