-- tests/bindings/program/cli_spec.lua - the program as a process: verbs, scripts, the prompt behind a pipe, exit
-- statuses.
local folder = package.searchpath("lop", package.path):match("^(.*)/share/lua/5.4/lop/init.lua$")
local program = folder .. "/lop"

local function quoted(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

-- Runs the program; returns status, stdout, stderr.
local function run(words, input)
  local out, err, stdin = os.tmpname(), os.tmpname(), os.tmpname()
  local f = assert(io.open(stdin, "w"))
  f:write(input or "")
  f:close()
  local _, how, code = os.execute(("%s %s <%s >%s 2>%s"):format(quoted(program), words, stdin, out, err))
  local texts = {}
  for i, path in ipairs {out, err} do
    local file = assert(io.open(path))
    texts[i] = file:read("a")
    file:close()
  end
  for _, path in ipairs {out, err, stdin} do os.remove(path) end
  return how == "exit" and code or 128 + code, texts[1], texts[2]
end

local function script(text)
  local path = os.tmpname() .. ".lua"
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
  return path
end

describe("verbs", function()
  it("version and help say what they should", function()
    local status, out = run "version"
    assert.equal(0, status)
    assert.matches("^lop %d", out)
    status, out = run "version --json"
    assert.equal(0, status)
    for _, key in ipairs {"version", "commit", "cpu_path", "cpu_paths", "blas", "lua", "mpi"} do
      assert.truthy(out:find('"' .. key .. '":', 1, true), key)
    end
    for _, words in ipairs {"help version", "version --help", "version -h"} do
      status, out = run(words)
      assert.equal(0, status)
      assert.matches("^usage: lop version", out)
      assert.matches("%-%-json", out)
    end
    for _, words in ipairs {"help", "--help", "-h"} do
      status, out = run(words)
      assert.equal(0, status)
      assert.matches("lop version", out)
    end
  end)
  it("that are wrong or missing end with one line and a status", function()
    local cases = {
      {"prnue", 2, "lop: unknown verb prnue (did you mean prune?)\n"},
      {"zzzzqqqq", 2, "lop: unknown verb zzzzqqqq (lop help lists them)\n"},
      {"help zzzzqqqq", 2, "lop: unknown verb zzzzqqqq (lop help lists them)\n"},
      {"version --jsn", 2, "lop: version: unknown option --jsn (did you mean --json?)\n"},
      {"version x", 2, "lop: version: unexpected argument 'x' (usage: lop version [--json])\n"},
      {"fetch cifar11 x", 2, "lop: fetch: unknown data set cifar11 (known: cifar10, mnist)\n"},
      {"none.lua", 1, "lop: none.lua: no such file\n"},
    }
    for _, case in ipairs(cases) do
      local status, out, err = run(case[1])
      assert.equal(case[3], err)
      assert.equal(case[2], status)
      assert.equal("", out)
    end
  end)
  it("give errors as JSON when asked for it", function()
    local status, out, err = run "version --jsn --json"
    assert.equal(2, status)
    assert.equal('{\n  "error": {\n    "code": "usage",\n' ..
      '    "message": "version: unknown option --jsn (did you mean --json?)",\n    "what": "version"\n  }\n}\n', out)
    assert.equal("lop: version: unknown option --jsn (did you mean --json?)\n", err)
  end)
end)

describe("scripts", function()
  it("have lop and arg", function()
    local path = script "print(lop.ones(2):sum(), arg[0], arg[1], #arg, ...)"
    local status, out = run(path .. " a 'b c'")
    assert.equal(0, status)
    assert.equal(("2.0\t%s\ta\t2\ta\tb c\n"):format(path), out)
    os.remove(path)
  end)
  it("fail with one line that names theirs", function()
    local cases = {
      {"\nlop.load_npy 'x.npy'", 1, "^lop: [^\n]*%.lua:2: lop.load_npy: x.npy: no such file\n$"},
      {"error 'mine'", 1, "^lop: [^\n]*%.lua:1: mine\n$"},
      {"error {}", 1, "^lop: table: [^\n]*\n$"},
      {"error 'two\\nlines'", 1, "^lop: [^\n]*%.lua:1: two lines\n$"},
      {"x =", 1, "^lop: [^\n]*%.lua:1: [^\n]*\n$"},
      {"local t = nil; t.x = 1", 1, "^lop: [^\n]*%.lua:1: attempt to index a nil value[^\n]*\n$"},
      {"os.exit(7)", 7, "^$"},
    }
    for _, case in ipairs(cases) do
      local path = script(case[1])
      local status, _, err = run(path)
      os.remove(path)
      assert.matches(case[3], err)
      assert.equal(case[2], status)
    end
  end)
  it("end with 130 at Ctrl-C", function()
    local path = script "local from = os.clock() while os.clock() < from + 5 do end"
    local command = "%s %s 2>/dev/null & p=$!; sleep 0.5; kill -INT $p; wait $p; echo $?"
    local _, out = run(("version >/dev/null; " .. command):format(quoted(program), path))
    os.remove(path)
    assert.equal("130\n", out)
  end)
end)

describe("the prompt behind a pipe", function()
  it("prints expressions, joins lines, goes on after errors", function()
    local status, out, err = run("", "1 + 1\n=2, 'x'\nfor i = 1, 2 do\nprint(i)\nend\nlocal x = 1\nx\n{b = 1, a = 2}\n")
    assert.equal("2\n2\nx\n1\n2\nnil\n{a = 2, b = 1}\n", out)
    assert.equal("", err)
    assert.equal(0, status)
    status, out, err = run("", "error 'a'\nlop.zeros 'x'\n3\nf(")
    assert.equal("3\n", out)
    assert.matches("^stdin:1: a\nstdin:1: bad argument #1 to 'zeros'[^\n]*\nstdin:1: unexpected symbol[^\n]*\n$", err)
    assert.equal(1, status)
  end)
  it("has help, and ends at exit", function()
    local status, out = run("", "help 'tensor:sum'\nhelp()\nexit\n1\n")
    assert.equal(0, status)
    assert.matches("^t:sum%(%[dim%]%)\n", out)
    assert.matches("lop.zeros", out)
    assert.not_matches("\n1\n$", out)
    assert.matches("nothing is known of 'zzzz'", select(2, run("", "help 'zzzz'\n")))
  end)
end)
