local lop = require "lop"                                       -- tests/bindings/net/core_spec.lua
local core = require "lop.core"

describe("core.nearest", function()
  it("finds the word that was meant, or none", function()
    local words = {"images", "positions", "speedup", "seed", "lambda"}
    local cases = {imges = "images", sped = "speedup", lamda = "lambda", sede = "seed", position = "positions",
                   zzzzqqqq = false, x = false, [""] = false}
    for word, meant in pairs(cases) do assert.equal(meant or nil, core.nearest(word, words), word) end
    assert.is_nil(core.nearest("x", {}))
    assert.equal(("a"):rep(200), core.nearest(("a"):rep(190), {("a"):rep(200)}))
  end)
end)

describe("core.fail", function()
  it("raises an object with code, message and the user's line", function()
    local _, e = pcall(function() core.fail("usage", "100 % wrong") end)
    assert.equal("usage", e.code)
    assert.equal("100 % wrong", e.message)
    assert.matches("core_spec.lua:%d+: lop: 100 %% wrong$", tostring(e))
  end)
  it("passes over lop's own files and names the function that was called", function()
    local text = "local function f(t) local x = t:get(9) return x end return f"
    local library = package.searchpath("lop", package.path):match("^.*/")
    local places = {                                            -- of a function of lop that is written in Lua
      [library .. "own.lua"] = "core_spec.lua:%d+: lop.checked: index is 9",
      [library .. "recipes/example.lua"] = "example.lua:1: tensor:get: index is 9",
      ["elsewhere.lua"] = "^elsewhere.lua:1: tensor:get: index is 9",
    }
    for path, expected in pairs(places) do
      lop.checked = load(text, "@" .. path)()
      local _, message = pcall(function() lop.checked(lop.zeros {2}) end)
      assert.matches(expected, message)
    end
    lop.checked = nil
  end)
end)

describe("lop.threads", function()
  it("tells and sets the number of threads", function()
    local before = lop.threads()
    assert.is_true(before >= 1)
    assert.equal(3, lop.threads(3))
    assert.equal(3, lop.threads())
    lop.threads(before)
    for _, wrong in ipairs {0, -1, 1025} do
      assert.has_error(function() lop.threads(wrong) end)
    end
    assert.has_error(function() lop.threads(1.5) end)
    assert.has_error(function() lop.threads("x") end)
  end)
end)

describe("lop.version", function()
  it("holds what the contract names", function()
    local v = lop.version()
    for _, key in ipairs {"version", "commit", "cpu_path", "blas", "lua"} do
      assert.equal("string", type(v[key]), key)
    end
    assert.equal("boolean", type(v.mpi))
    assert.equal("portable", v.cpu_paths[1])
    assert.equal("lop " .. v.version, lop._VERSION)
  end)
end)

describe("core.system", function()
  local system = core.system
  local folder = os.tmpname()
  os.remove(folder)
  teardown(function()
    for _, name in ipairs(system.list_folder(folder .. "/a/b")) do os.remove(folder .. "/a/b/" .. name) end
    for _, part in ipairs {"/a/b", "/a", ""} do os.remove(folder .. part) end
  end)

  it("makes folders, lists them sorted, writes and reads files", function()
    system.make_folder(folder .. "/a/b")
    system.make_folder(folder .. "/a/b")
    for _, name in ipairs {"z", "B", "a", ".h"} do system.write_file(folder .. "/a/b/" .. name, "x\0" .. name) end
    assert.same({".h", "B", "a", "z"}, system.list_folder(folder .. "/a/b"))
    assert.equal("x\0B", system.read_file(folder .. "/a/b/B"))
    assert.equal("file", system.kind(folder .. "/a/b/z"))
    assert.equal("folder", system.kind(folder .. "/a/"))
    assert.is_nil(system.kind(folder .. "/none"))
    assert.equal(system.sha256("x\0z"), system.sha256_file(folder .. "/a/b/z"))
    assert.is_true(system.remove_file(folder .. "/a/b/z"))
    assert.is_false(system.remove_file(folder .. "/a/b/z"))
    system.write_file(folder .. "/a/b/empty", "")
    assert.equal("", system.read_file(folder .. "/a/b/empty"))
    assert.matches("/a/b$", system.real_path(folder .. "/a/./b/../b"))
  end)
  it("hashes as FIPS 180-4 says", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", system.sha256("abc"))
  end)
  it("names the path that it could not use", function()
    local function fails(code, f, path)
      local ok, e = pcall(f, path, "x")
      assert.is_false(ok)
      assert.equal(code, e.code)
      assert.truthy(e.message:find(path, 1, true))
    end
    fails("notfound", system.list_folder, folder .. "/none")
    fails("notfound", system.read_file, folder .. "/none")
    fails("notfound", system.real_path, folder .. "/none")
    fails("io", system.make_folder, "/dev/null/x")
    system.make_folder(folder .. "/a/b")
    system.write_file(folder .. "/a/b/f", "")
    fails("io", system.make_folder, folder .. "/a/b/f")
  end)
end)
