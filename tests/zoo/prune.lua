-- tests/zoo/prune.lua FOLDER ORT SHARED NET SPEEDUP ... - prunes nets and holds the results against ONNX Runtime.
-- NET is an architecture of lop.zoo, NAME or NAME@SIZE for pictures of another size, or models/NAME, a folder of
-- SHARED. A line for each net and speedup: what was asked for and achieved, the largest difference between the two
-- runtimes over max(1, max |y|), seconds; then `zoo: N passed, N failed, N skipped`. A budget missed by more than 2 %
-- passes only with a reason, which is printed.
local folder, ort, shared = arg[1], arg[2], arg[3]
local figures = dofile((arg[0]:match("^(.*/)") or "") .. "nets.lua")
local core = require "lop.core"

local passed, failed, skipped = 0, 0, 0

local function fail(net, text, ...)
  failed = failed + 1
  print(("not ok: %s: %s"):format(net, text:format(...)))
end

local function exists(path)
  return core.system.kind(path) ~= nil
end

local function takes_photos(net)
  local shape = net:inputs()[1].shape
  return shape[2] == 3 and shape[3] >= 128
end

-- Pictures to calibrate on: photographs where the net takes such, else noise.
local function calibration(net)
  local shape = net:inputs()[1].shape
  local photos = shared .. "/data/imagenet-sample/calib"
  if takes_photos(net) and exists(photos) then
    return "images:" .. photos, net:meta("lop.preprocess") or "imagenet"
  end
  local path = ("%s/noise%dx%d.npz"):format(folder, shape[2], shape[3])
  if not exists(path) then lop.save_npz(path, {images = lop.randn({32, shape[2], shape[3], shape[4]}, {seed = 5})}) end
  return "npz:" .. path, "none"
end

-- A picture to compare with, one that no net was calibrated on: far from such, a net may be of any condition.
local function picture(net)
  local input = net:inputs()[1]
  local shape, photos = {1, table.unpack(input.shape, 2)}, shared .. "/data/imagenet-sample/test"
  if not takes_photos(net) or not exists(photos) then return lop.randn(shape, {seed = 6}) end
  local set = lop.data("images:" .. photos, {preprocess = net:meta("lop.preprocess") or "imagenet", input = shape})
  return (set:batch(1, 1))
end

-- The largest difference of all outputs, over max(1, max |y|); nil and why where ONNX Runtime does not take the net.
local function differ(path, net)
  local prefix, x = folder .. "/ort", picture(net)
  x:save_npy(folder .. "/x.npy")
  for _, stale in ipairs {".npy", "_0.npy", "_1.npy"} do os.remove(prefix .. stale) end
  local command = "node '%s' '%s' --input '%s/x.npy' --out '%s' >'%s/ort.log' 2>&1"
  if not os.execute(command:format(ort, path, folder, prefix, folder)) then
    local log <close> = assert(io.open(folder .. "/ort.log"))
    return nil, (log:read("a"):gsub("%s+", " "):sub(1, 300))
  end
  local got, worst = table.pack(net:forward(x)), 0
  for i = 1, got.n do
    local want = lop.load_npy(got.n == 1 and prefix .. ".npy" or ("%s_%d.npy"):format(prefix, i - 1))
    local d = got[i] - want
    local scale = math.max(1, want:max(), -want:min())
    local this = math.max(d:max(), -d:min()) / scale
    if this > worst or this ~= this then worst = this end
  end
  return worst
end

local function check_difference(name, path, net)
  if ort == "" then return "-" end
  local worst, why = differ(path, net)
  if not worst then fail(name, "ONNX Runtime: %s", why) return nil end
  if worst > 1e-4 or worst ~= worst then fail(name, "off by %.3g from ONNX Runtime", worst) return nil end
  return ("%.1e"):format(worst)
end

local function line(...) print(("%-24s %6s %9s %9s %8s  %s"):format(...)) io.stdout:flush() end

-- What the zoo's nets cost at their own size is published.
local function check_cost(name, net)
  local macs, params, want = net:macs(), net:params(), figures[name]
  if want and (macs ~= want[1] or params ~= want[2]) then
    fail(name, "%d MACs, %d params; %d, %d are published", macs, params, want[1], want[2])
    return false
  end
  -- What its paper says of it, 4450 M, leaves some freedom.
  if name == "xception50" and math.abs(macs / 4450e6 - 1) > 0.02 then
    fail(name, "%d MACs, 4450 M are published", macs)
    return false
  end
  return true
end

-- The file of a net: of the zoo, written here, or shared; nil where it is not to be had.
local function file_of(name)
  local model = name:match("^models/(.*)")
  local path = model and ("%s/%s/model.onnx"):format(shared .. "/models", model)
    or ("%s/%s.onnx"):format(folder, (name:gsub("@", "-")))
  if not model then
    local of, size = name:match("^(.*)@(%d+)$")
    lop.zoo(of or name, {seed = 3, size = math.tointeger(tonumber(size))}):save(path)
  elseif not exists(path) then
    skipped = skipped + 1
    print(("skipped: %s: %s is not here"):format(name, path))
    return nil
  end
  return path
end

-- The net, whole: its published cost, and the same outputs as ONNX Runtime's.
local function whole(name)
  local began, path = core.system.seconds(), file_of(name)
  local net = path and lop.load(path)
  local difference = net and check_cost(name, net) and check_difference(name, path, net)
  if not difference then return nil end
  passed = passed + 1
  line(name, "-", "-", difference, ("%.1f"):format(core.system.seconds() - began),
       ("%d MACs, %d params"):format(net:macs(), net:params()))
  return path
end

local function pruned(name, from, speedup)
  local began = core.system.seconds()
  local net, path = lop.load(from), ("%s/pruned.onnx"):format(folder)
  local data, preprocess = calibration(net)
  local ok, small, report = pcall(lop.prune, net, {
    preprocess = preprocess, budget = {speedup = speedup},
    calibrate = {data = data, images = 16, positions = 100},
    allocate = "uniform", reconstruct = {producer = 0, ridge = 0.1}, seed = 3})
  if not ok and type(small) == "table" and small.code == "interrupted" then error(small, 0) end
  if not ok then fail(name, "%gx: %s", speedup, tostring(small)) return end
  small:save(path)
  local again = lop.load(path)
  local achieved = net:macs() / again:macs()
  local difference = check_difference(name, path, again)
  if not difference then return end
  local reason = report.budget and report.budget.reason
  if math.abs(achieved / speedup - 1) > 0.02 and not reason then
    fail(name, "%gx asked for, %.3fx achieved, and no reason given", speedup, achieved)
    return
  end
  passed = passed + 1
  line(name, ("%.2f"):format(speedup), ("%.3f"):format(achieved), difference,
       ("%.1f"):format(core.system.seconds() - began), reason or "")
  os.remove(path)
end

line("net", "asked", "achieved", "max diff", "seconds", "")
local i = 4
while i <= #arg do
  local name, path = arg[i], whole(arg[i])
  i = i + 1
  while tonumber(arg[i]) do
    if path then pruned(name, path, tonumber(arg[i])) end
    i = i + 1
  end
  if path and path:sub(1, #folder) == folder then os.remove(path) end
end
print(("zoo: %d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and 0 or 1)
