-- tests/bindings/program/pictures_spec.lua - pictures from Lua: loaded, saved, as data sets, batch after batch; a
-- classifier on photographs, against what ONNX Runtime says of it.
local lop = require "lop"
local evaluate = require "lop.evaluate"

-- A folder of its own with a picture for each name; a picture is known by its value.
local function folder_of(pictures)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
  for name, value in pairs(pictures) do
    local parent = name:match("^(.*)/")
    if parent then assert(os.execute(("mkdir -p '%s/%s'"):format(folder, parent))) end
    lop.full({4, 4}, value, "uint8"):save_png(folder .. "/" .. name)
  end
  return folder, function() os.execute(("rm -rf '%s'"):format(folder)) end
end

local function message_of(f)
  local ok, e = pcall(f)
  assert.is_false(ok)
  return tostring(e)
end

describe("pictures as tensors", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  it("come back from PNG", function()
    for _, shape in ipairs {{3, 5, 7}, {1, 5, 7}, {5, 7}} do
      local t = lop.rand(shape, {seed = 3}):map(function(v) return v * 255 end):to "uint8"
      t:save_png(path)
      local back = lop.load_image(path)
      for channel = 1, 3 do
        local from = shape[1] == 3 and channel or 1
        local plane = t:reshape {-1, 5, 7}:narrow(1, from, 1)
        assert.is_true(back:narrow(1, channel, 1):equal(plane))
      end
    end
  end)
  it("are mapped from a range", function()
    local function saved(t, opts)
      t:save_png(path, opts)
      return lop.load_image(path):narrow(1, 1, 1):reshape {-1}:totable()
    end
    assert.same({0, 128, 255}, saved(lop.tensor {{-2, 0, 2}}))
    assert.same({0, 51, 255}, saved(lop.tensor {{-2, 0.2, 2}}, {low = 0, high = 1}))
    assert.same({0, 0, 0}, saved(lop.tensor {{5, 5, 5}}))
    assert.same({0, 255, 255}, saved(lop.tensor({{10, 20, 30}}, "uint8"), {low = 10, high = 20}))
    assert.same({0, 255, 0}, saved(lop.tensor {{0, 1, 0 / 0}}))
  end)
  it("raise what is wrong at the caller's line", function()
    assert.matches("spec.lua:%d+: tensor:save_png: .*uint8 2x3x4", message_of(function()
      lop.zeros {2, 3, 4}:save_png(path)
    end))
    assert.matches("unknown option 'lo'", message_of(function() lop.zeros {2, 3}:save_png(path, {lo = 1}) end))
    assert.matches("spec.lua:%d+: lop.load_image: none.png: no such file", message_of(function()
      lop.load_image "none.png"
    end))
  end)
end)

describe("a folder of pictures", function()
  local folder, remove = folder_of {["b/1.png"] = 30, ["a/2.png"] = 20, ["a/1.png"] = 10, ["b/3.png"] = 50,
                                    ["b/2.png"] = 40}
  teardown(remove)

  it("is a data set with the classes of its folders", function()
    local set = lop.data("images:" .. folder .. "?size=4", {preprocess = "none"})
    assert.equal(5, #set)
    assert.equal(2, set.classes)
    assert.is_true(set.labelled)
    assert.same({3, 4, 4}, set.shape)
    assert.same({}, set.notes)
    local x, labels = set:batch(2, 3)
    assert.same({0, 1, 1}, labels)
    assert.same({20, 30, 40}, x:narrow(2, 1, 1):narrow(3, 1, 1):narrow(4, 1, 1):reshape {-1}:totable())
  end)
  it("takes size and channels from the model's input", function()
    local function shape(spec, input)
      return lop.data("images:" .. folder .. spec, {preprocess = "unit", input = input}).shape
    end
    assert.same({3, 6, 7}, shape("", {1, 3, 6, 7}))
    assert.same({1, 6, 7}, shape("", {1, 6, 7}))
    assert.same({1, 9, 9}, shape("?size=9", {1, 1, 6, 7}))
    assert.same({3, 6, 7}, shape("?channels=3", {1, 1, 6, 7}))
    assert.matches("the size of pictures is not known", message_of(function() shape "" end))
    assert.matches("the size of pictures is not known", message_of(function() shape("", {10}) end))
    assert.matches("no preprocessing is known: none, unit, imagenet", message_of(function()
      lop.data("images:" .. folder, {})
    end))
  end)
  it("is read batch after batch, as set:batch reads it", function()
    local set = lop.data("images:" .. folder .. "?size=3", {preprocess = "unit"})
    for n = 1, 6 do
      local expected = 1
      for first, x, labels in set:batches(n) do
        assert.equal(expected, first)
        local count = math.min(n, #set - first + 1)
        local y, want = set:batch(first, count)
        assert.is_true(x:equal(y))
        assert.same(want, labels)
        expected = first + count
      end
      assert.equal(6, expected)
    end
    for first in set:batches(2) do                      -- left early: the loop closes it
      if first == 1 then break end
    end
    local next = set:batches(2)
    assert.equal(1, next())
    set = nil                                           -- luacheck: ignore
    collectgarbage()
    assert.equal(3, next())
    assert.equal(5, next())
    assert.is_nil(next())
    assert.is_nil(next())
    local part = lop.data("images:" .. folder .. "?size=3", {preprocess = "unit"}):take(2, 1)
    collectgarbage()
    assert.same({2, 3, 3, 3}, part:batch(1, 2):shape())
  end)
  it("can be closed while batches are read", function()
    local next
    do
      local set <close> = lop.data("images:" .. folder .. "?size=3", {preprocess = "unit"})
      next = set:batches(1)
    end
    for i = 1, 5 do assert.equal(i, (next())) end
  end)
  it("loses what is in another set, whatever its fit", function()
    local set = lop.data("images:" .. folder .. "?size=3", {preprocess = "unit"})
    local one = lop.data("images:" .. folder .. "/a?size=2&fit=stretch", {preprocess = "none"})
    local rest, dropped = set:without(one)
    assert.equal(2, dropped)
    assert.equal(3, #rest)
    assert.same({1, 1, 1}, select(2, rest:batch(1, 3)))
  end)
  it("says which file is broken, or leaves it out", function()
    local f = assert(io.open(folder .. "/b/4.jpg", "w"))
    f:write "no picture"
    f:close()
    local set = lop.data("images:" .. folder .. "?size=3", {preprocess = "unit"})
    assert.matches("b/4.jpg: neither a JPEG nor a PNG", message_of(function()
      for _ in set:batches(2) do collectgarbage "step" end
    end))
    set = lop.data("images:" .. folder .. "?size=3&broken=skip", {preprocess = "unit"})
    assert.equal(5, #set)
    assert.equal(1, #set.notes)
    assert.matches("^left out: .*b/4.jpg", set.notes[1])
    os.remove(folder .. "/b/4.jpg")
  end)
end)

-- The digits that ship with lop, written as pictures: every verb gives what it gives for the originals.
describe("digits as pictures", function()
  local program = package.searchpath("lop", package.path):match("^(.*)/share/lua/5.4/lop/init.lua$") .. "/lop"
  local model, count = "recipes/models/digits-vgg/model.onnx", 80
  local folder, remove = folder_of {}
  local digits = lop.data("mnist:recipes/data/digits", {preprocess = "none", split = "test"}):take(count, 3)
  local labels = assert(io.open(folder .. "/labels.txt", "w"))
  for first, x, class in digits:batches(1) do
    local name = ("%03d.png"):format(first)
    x:to("uint8"):reshape {28, 28}:save_png(folder .. "/" .. name)
    labels:write(name, " ", class[1], "\n")
  end
  labels:close()
  teardown(remove)

  local function json(words)
    local file = os.tmpname()
    local ok = os.execute(("'%s' %s --json --quiet >%s 2>&1"):format(program, words:gsub("DIR", folder), file))
    local f = assert(io.open(file))
    local text = f:read "a"
    f:close()
    os.remove(file)
    assert(ok, text)
    return require "dkjson".decode(text)
  end

  it("are classified alike", function()
    local net = lop.load(model)
    local want = lop.evaluate(net, lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"})
                                     :take(count, 3))
    local got = json("eval " .. model .. " --data images:DIR --preprocess unit")
    assert.equal(count, got.images)
    assert.equal(want.top1, got.top1)
    assert.equal(want.top5, got.top5)
    local same = json(("compare %s %s --data images:DIR --preprocess unit"):format(model, model))
    assert.equal(100, same.agreement)
    assert.equal(0, same.kl)
    assert.equal(want.top1, same.top1_a)
  end)
  it("are run one at a time, by the input's name too", function()
    local net, x = lop.load(model), digits:batch(1, 1) / 255
    local want = net:forward(x)
    for _, word in ipairs {"DIR/001.png", "input=DIR/001.png", "'DIR/001.png?size=28'"} do
      word = word:gsub("^input", net:inputs()[1].name)
      local out = folder .. "/out"
      json(("exec %s --input %s --preprocess unit -o %s"):format(model, word, out))
      assert.is_true(lop.load_npy(out .. ".npy"):equal(want))
      os.remove(out .. ".npy")
    end
  end)
  it("prune a net, and the originals among them are dropped from calibration", function()
    local got = json(("prune %s --data images:DIR --preprocess unit --speedup 1.3 --allocate uniform " ..
                      "--evaluate 'mnist:recipes/data/digits?split=train' -o %s/small.onnx"):format(model, folder))
    assert.is_true(got.speedup >= 1.3)
    assert.equal(0, got.overlap_dropped)
    local again = json(("eval %s/small.onnx --data images:DIR"):format(folder))
    assert.equal(count, again.images)
    local set = lop.data("images:" .. folder .. "?size=28&channels=1", {preprocess = "unit"})
    local rest, dropped = set:without(lop.data("mnist:recipes/data/digits", {preprocess = "unit", split = "test"}))
    assert.equal(count, dropped)
    assert.equal(0, #rest)
  end)
end)

-- Figures of the model's own description, by ONNX Runtime on pictures decoded by Pillow: to one picture of 500.
describe("a classifier of photographs", function()
  local shared = os.getenv "LOP_SHARED" or "../shared"
  local model, photos = shared .. "/models/squeezenet/model.onnx", shared .. "/data/imagenet-sample/"
  local function there()
    local f = io.open(photos .. "test/labels.txt")
    if f then f:close() end
    return f ~= nil
  end
  it("is as right as ONNX Runtime finds it", function()
    if not there() then return pending("skipped: " .. photos .. " is not here") end
    local net = lop.load(model)
    local figures = {test = {61.2, 85.2}, calib = os.getenv "LOP_LONG" and {61.6, 81.2}}
    for part, want in pairs(figures) do
      local spec = "images:" .. photos .. part .. "?resize=256&crop=center"
      local set = evaluate.open(net, spec, {preprocess = "caffe"}, {note = error})
      local got = lop.evaluate(net, set)
      assert.equal(500, got.images)
      assert.near(want[1], got.top1, 0.2001)
      assert.near(want[2], got.top5, 0.2001)
    end
  end)
  it("sees the very pictures of its sample input", function()
    if not there() then return pending("skipped: " .. photos .. " is not here") end
    local want = lop.load_npy(shared .. "/models/squeezenet/input.npy")
    local set = lop.data("images:" .. photos .. "test?size=227", {preprocess = "caffe"})
    local got = set:batch(1, 2)
    assert.is_true((got - want):map(math.abs):max() <= 2)
  end)
end)
