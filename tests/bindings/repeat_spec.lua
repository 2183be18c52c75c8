-- tests/bindings/repeat_spec.lua - the program gives the same bytes every time, and keeps to the memory it foretells.
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
