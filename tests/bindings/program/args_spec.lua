local args = require "lop.program.args"                                 -- tests/bindings/program/args_spec.lua
local options = require "lop.program.options"

local spec = {
  usage = "prune MODEL --data SPEC",
  positional = {"MODEL"},
  settings = true,
  options = options.complete {
    "seed", "data", "output", "memory", "positions",
    {name = "speedup", type = "number", value = "X", min = 1},
    {name = "input", type = "string", value = "FILE", repeated = true},
    {name = "round-to", type = "integer", min = 1, max = 64},
    {name = "select", type = "string", choices = {"lasso", "elimination"}},
    {name = "residual.target", type = "string"},
  },
}

local function parse(...)
  return args.parse("prune", spec, {...})
end

describe("args.parse", function()
  it("reads every form", function()
    local o, operands = parse("m.onnx", "--speedup", "2", "--seed=7", "-o", "out.onnx", "--json", "--input", "a",
      "--input=b", "--round-to", "8", "--select", "lasso", "--memory", "1.5G", "--residual.target", "none",
      "budget.speedup=4", "x=")
    assert.same({"m.onnx", settings = {{key = "budget.speedup", value = "4"}, {key = "x", value = ""}}}, operands)
    assert.same({
      speedup = 2.0, seed = 7, output = "out.onnx", json = true, input = {"a", "b"}, round_to = 8, select = "lasso",
      memory = 1610612736, ["residual.target"] = "none",
    }, o)
    assert.equal("integer", math.type(o.seed))
    assert.equal("float", math.type(o.speedup))
  end)
  it("knows defaults, words in place of numbers, joined short options, and --", function()
    local o, operands = parse("-oout.onnx", "--positions", "auto", "--data=k:p?a=b&c=d", "--", "--json")
    assert.same({output = "out.onnx", positions = "auto", data = "k:p?a=b&c=d"}, o)
    assert.equal("--json", operands[1])
    assert.equal(5, parse("m", "--positions", "5").positions)
    assert.equal("-3", parse("m", "--data", "-3").data)
    assert.equal("", parse("m", "--data=").data)
  end)
  it("refuses, with the word that was meant", function()
    local cases = {
      {{"m", "--sped", "2"}, "prune: unknown option --sped (did you mean --speedup?)"},
      {{"m", "--zzzzqqqq"}, "prune: unknown option --zzzzqqqq (lop help prune lists them)"},
      {{"m", "-x"}, "prune: unknown option -x (lop help prune lists them)"},
      {{"m", "--speedup"}, "prune: --speedup needs a value (X)"},
      {{"m", "--speedup", "--json"}, "prune: --speedup needs a value (X)"},
      {{"m", "--speedup", "two"}, "prune: --speedup is 'two', a number expected"},
      {{"m", "--speedup", "0x10"}, "prune: --speedup is '0x10', a number expected"},
      {{"m", "--speedup", "nan"}, "prune: --speedup is 'nan', a number expected"},
      {{"m", "--speedup", "1e999"}, "prune: --speedup is '1e999', a number expected"},
      {{"m", "--speedup", "0.5"}, "prune: --speedup is 0.5, 1 or more expected"},
      {{"m", "--round-to", "65"}, "prune: --round-to is 65, 1 to 64 expected"},
      {{"m", "--round-to=1.5"}, "prune: --round-to is '1.5', an integer expected"},
      {{"m", "--seed", "99999999999999999999"}, "prune: --seed is '99999999999999999999', an integer expected"},
      {{"m", "--positions", "some"}, "prune: --positions is 'some', an integer or 'auto' expected"},
      {{"m", "--memory", "4Q"}, "prune: --memory is '4Q', a size such as 4G or 500M expected"},
      {{"m", "--threads", "0"}, "prune: --threads is 0, 1 to 1024 expected"},
      {{"m", "--select", "lasssso"}, "prune: --select is 'lasssso' (did you mean lasso?)"},
      {{"m", "--select", "zzzzz"}, "prune: --select is 'zzzzz', one of lasso, elimination expected"},
      {{"m", "--json=maybe"}, "prune: --json takes no value, got 'maybe'"},
      {{}, "prune: MODEL is missing (usage: lop prune MODEL --data SPEC)"},
      {{"m", "n"}, "prune: unexpected argument 'n' (usage: lop prune MODEL --data SPEC)"},
    }
    for _, case in ipairs(cases) do
      local ok, e = pcall(args.parse, "prune", spec, case[1])
      assert.is_false(ok)
      assert.equal("usage", e.code)
      assert.equal(case[2], e.message)
    end
  end)
  it("asks for nothing more where help is wanted", function()
    assert.is_true(parse("--help").help)
    assert.is_true(parse("-h").help)
  end)
  it("takes fewer or more operands where that is declared", function()
    local _, operands = args.parse("v", {positional = {"A", "B"}, least = 1}, {"a"})
    assert.same({"a"}, {table.unpack(operands)})
    _, operands = args.parse("v", {positional = {"A"}, rest = true}, {"a", "b", "c=d"})
    assert.same({"a", "b", "c=d"}, {table.unpack(operands)})
    _, operands = args.parse("v", {positional = {"A"}, settings = true}, {"a=b.lua", "k=v"})
    assert.same({"a=b.lua", settings = {{key = "k", value = "v"}}}, operands)
    _, operands = args.parse("v", {positional = {"A"}, settings = true}, {"a", "layers.a [0]'s.keep=0.5=b"})
    assert.same({"a", settings = {{key = "layers.a [0]'s.keep", value = "0.5=b"}}}, operands)
  end)
end)

describe("args.size", function()
  it("reads bytes by units of 1024", function()
    local cases = {["0"] = 0, ["17"] = 17, ["1K"] = 1024, ["2k"] = 2048, ["1.5M"] = 1572864, ["4G"] = 4294967296,
                   ["4GiB"] = 4294967296, ["1T"] = 1099511627776}
    for text, bytes in pairs(cases) do assert.equal(bytes, args.size(text)) end
    for _, text in ipairs {"", "G", "-1", "1e3", "4X", "4 G", "99999999999T"} do assert.is_nil(args.size(text)) end
  end)
end)
