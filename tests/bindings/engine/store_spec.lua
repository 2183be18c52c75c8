-- tests/bindings/engine/store_spec.lua - what waits on disk comes back as it was, and pruning from there gives the
-- same bytes.
local lop = require "lop"
local core = require "lop.core"
local frontier = require "lop.engine.frontier"
local json = require "dkjson"
local memory = require "lop.engine.memory"
local nets = dofile "tests/bindings/nets.lua"
local store = require "lop.engine.store"

local program = package.searchpath("lop", package.path):match("^(.*)/share/lua/5.4/lop/init.lua$") .. "/lop"
local MODEL, DATA = "recipes/models/digits-resnet/model.onnx", "--data mnist:recipes/data/digits --preprocess unit"

local function new_folder()
  local path = os.tmpname()
  os.remove(path)
  core.system.make_folder(path)
  return path
end

describe("a scratch store", function()
  local folder = new_folder()
  teardown(function() assert(core.system.remove_file(folder)) end)          -- which is empty, or the removal fails

  it("gives back what it took, and uses a slot again once all owners have dropped it", function()
    local s = store.scratch(folder, 64, 2)
    local function put(first) return s:put {lop.arange(first, first + 5), lop.tensor({first, 7}, "int64")} end
    local a, b = put(1), put(2)
    local twin = s:share(a)
    s:drop(a)
    assert.error_matches(function() put(3) end, "more entries than foretold")
    local values = s:get(twin)
    assert.same({{1, 2, 3, 4, 5}, {1, 7}}, {values[1]:totable(), values[2]:totable()})
    assert.equal("int64", values[2]:type())
    s:drop(twin)
    local c = put(4)
    assert.same({4, 7}, s:get(c)[2]:totable())
    assert.same({2, 7}, s:get(b)[2]:totable())
    s:drop(b)
    s:drop(c)
    assert.error_matches(function() s:put {lop.zeros(17)} end, "larger than foretold")
    s:close()
    assert.error_matches(function() s:get(c) end, "closed")
  end)
  it("moves frontiers and their twins as memory does", function()
    local path = nets.pictures(40, 16)
    local net, set = nets.residual({2, 1}, 5), lop.data("npz:" .. path, {preprocess = "none"})
    local name = net:outputs()[1].name
    local function walk(where)
      local passes = {count = 0, store = where}
      local front = frontier.new(net, set, passes)
      local twin = front:twin()
      front:advance(net, 3)
      front:advance(net, 6)
      local list = {front:part(net, {name})(1):totable(), twin:part(net, {name})(1):totable()}
      front:close()
      twin:advance(net, 4)
      list[3] = twin:part(net, {name})(1):totable()
      twin:close()
      return list
    end
    assert.same(walk(nil), walk(store.scratch(folder, 40 * (1 << 16), 2)))
    os.remove(path)
  end)
  it("is chosen where memory does not suffice, and only there", function()
    local needs = {kept = 100 << 20, spilled = 60 << 20, slot = 1 << 20, entries = 3}
    local kept = memory.place(needs, 100 << 20, folder)
    assert.same({memory_bytes = 100 << 20, scratch_bytes = 0, store = store.memory}, kept)
    local place = memory.place(needs, (100 << 20) - 1, folder)
    assert.same({60 << 20, 3 << 20}, {place.memory_bytes, place.scratch_bytes})
    place.store:close()
    local function refused(limit, where)
      local ok, e = pcall(memory.place, needs, limit << 20, where)
      assert.is_false(ok)
      return e.message
    end
    assert.equal("needs 100M, 70M may be used: --memory 100M, or --scratch DIR (3M of disk), or fewer --images",
                 refused(70))
    assert.equal("needs 100M, 50M may be used: --memory 100M, or --scratch DIR and --memory 60M (3M of disk), or fewer "
                   .. "--images", refused(50))
    assert.equal("needs 60M with 3M on disk, 50M may be used: --memory 60M, or fewer --images", refused(50, folder))
  end)
end)

describe("lop prune --scratch", function()
  local folder = new_folder()
  teardown(function() assert(core.system.remove_file(folder)) end)

  local function prune(words)
    local out = os.tmpname()
    local command = ("%s prune %s %s --quiet --json -o %s %s 2>/dev/null"):format(program, MODEL, DATA, out, words)
    local pipe = assert(io.popen(command))
    local result = json.decode(pipe:read "a")
    pipe:close()
    local hash = core.system.sha256_file(out)
    os.remove(out)
    return result, hash
  end
  -- The least memory with a scratch folder, as the refusal says.
  local function least(words)
    local refusal = prune(words .. " --memory 1M --scratch " .. folder)
    return math.tointeger(refusal.error.message:match "^needs (%d+)M with %d+M on disk" + 0)
  end
  local cases = {"--speedup 2 --images 60", "--keep 0.5 --images 40 --order backward --select random"}
  local sanitized = (os.getenv "LD_PRELOAD" or ""):match "asan" ~= nil          -- its shadow is resident, too
  if os.getenv "LOP_LONG" then
    cases = {"--speedup 2 --images 500", "--speedup 2 --images 500 --order backward",
             "--keep 0.5 --images 700 --residual.stream coupled"}
  end
  for _, words in ipairs(cases) do
    it("writes the bytes of a run in memory, within the memory foretold: " .. words, function()
      local kept, hash = prune(words)
      assert.equal(0, kept.scratch_bytes)
      assert.is_true(sanitized or kept.peak_rss_bytes <= kept.memory_bytes)
      local limit = least(words)
      for threads = 1, 2 do
        local how = ("--threads %d --memory %dM --scratch %s"):format(threads, limit, folder)
        local spilled, other = prune(words .. " " .. how)
        assert.is_nil(spilled.error)
        assert.is_true(spilled.scratch_bytes > 0)
        assert.equal(hash, other)
        assert.is_true(sanitized or spilled.peak_rss_bytes <= math.min(spilled.memory_bytes, limit << 20))
      end
    end)
  end
end)
