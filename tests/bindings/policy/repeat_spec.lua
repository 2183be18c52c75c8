-- tests/bindings/policy/repeat_spec.lua - the program gives the same bytes every time, and keeps to the memory it
-- foretells.
local core = require "lop.core"
local json = require "dkjson"

local program = package.searchpath("lop", package.path):match("^(.*)/share/lua/5.4/lop/init.lua$") .. "/lop"
local MODEL, DATA = "recipes/models/digits-resnet/model.onnx", "--data mnist:recipes/data/digits --preprocess unit"

-- Prunes with these options; the result of --json, and the model's hash.
local function prune(words)
  local out = os.tmpname()
  local pipe = assert(io.popen(("%s prune %s %s --quiet --json -o %s %s"):format(program, MODEL, DATA, out, words)))
  local text = pipe:read "a"
  pipe:close()
  local hash = core.system.sha256_file(out)
  os.remove(out)
  return json.decode(text), hash
end

describe("lop prune", function()
  it("writes the same bytes again, with one thread and with two", function()
    for _, words in ipairs {"--speedup 2 --images 60",
                            "--keep 0.5 --images 40 --order backward --select random --seed 3"} do
      local _, first = prune(words .. " --threads 1")
      local _, again = prune(words .. " --threads 1")
      local _, two = prune(words .. " --threads 2")
      assert.equal(first, again)
      assert.equal(first, two)
    end
    local _, one = prune "--keep 0.5 --images 40 --select random --seed 3"
    local _, other = prune "--keep 0.5 --images 40 --select random --seed 4"
    assert.not_equal(one, other)
  end)
  it("accepts the memory that a refusal names, and refuses one less", function()
    local function with(memory)
      return prune(("--keep 0.9 --images 40 --select random --threads 1 --memory %dM 2>/dev/null"):format(memory))
    end
    local named = assert(with(1).error.message:match("needs (%d+)M, 1M may be used: %-%-memory %1M"))
    assert.matches("^needs " .. named .. "M, %d+M may", with(named - 1).error.message)
    assert.equal(named, tostring(math.ceil(with(named).memory_bytes / 2 ^ 20)))
  end)
  if os.getenv "LOP_LONG" then
    it("stays within the memory that it foretells", function()
      for _, images in ipairs {500, 1000} do
        for _, order in ipairs {"forward", "backward"} do
          local result = prune(("--speedup 2 --images %d --order %s"):format(images, order))
          assert.is_true(result.peak_rss_bytes <= result.memory_bytes, images .. " " .. order)
        end
      end
    end)
  end
end)
