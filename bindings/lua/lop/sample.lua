-- bindings/lua/lop/sample.lua - lop.sample: the sums of one layer, for people who look into a layer by hand.

local behind = require "lop.engine.behind"
local check = require "lop.check"
local core = require "lop.core"
local frontier = require "lop.engine.frontier"
local reader = require "lop.engine.reader"
local solve = require "lop.engine.solve"
local units = require "lop.engine.units"

local sample = {}

-- The layer as the solver takes it, and its window: of a Gemm behind a Flatten, the taps of each channel.
local function window_of(net, name)
  local layer, reason = reader.layer(net, name)
  if not layer then core.fail("unsupported", ("layer '%s' (%s): %s"):format(name, net:layer(name).op, reason)) end
  local window, c = layer.window, units.consumer(net, name)
  for _, group in ipairs(layer.op == "Gemm" and net:groups() or {}) do
    for _, consumer in ipairs(group.consumers) do
      local taps = consumer == name and units.flat_taps(c, net:ranks(name, group.name), group.width)
      if taps then window = units.flat_window(window, taps) end
    end
  end
  return layer, window
end

-- The filters and the scales behind a layer whose input is one group's, where there are such.
local function known_behind(net, name, channels)
  for _, group in ipairs(net:groups()) do
    for _, consumer in ipairs(group.consumers) do
      if consumer == name and group.width == channels and #group.producers == 1 then
        return behind.filters(net, group.producers[1], channels), behind.bn_scale(net, net, group.producers[1])
      end
    end
  end
end

local function gather(net, target, name, set, opts)
  local layer, window = window_of(net, name)
  local now = frontier.new(net, set)
  now:advance(net, frontier.position(net, name) - 1)
  local wanted = now
  if target ~= net then
    wanted = frontier.new(target, set)
    wanted:advance(target, frontier.position(target, name) - 1)
  end
  return solve.gather(layer, window, frontier.position(net, name), now, now:part(net, {layer.inputs[1].name}),
                      wanted:part(target, {target:layer(name).outputs[1].name}), opts)
end

--- The sums that a layer's channels are chosen from and its weights rebuilt with: of its input in `net` and of its
--- output in `target`, at random positions of pictures.
---@param net lop.net
---@param name string         a convolution, a Gemm or a MatMul
---@param set lop.data
---@param opts {images: integer?, positions: integer|"auto"?, seed: integer?, target: lop.net?, holdout: integer?}?
---        images: so many, drawn by the seed (all); target: whose output is to be kept (net's own); holdout: so many of
---        the images are put aside, their sums in stats.held, to choose the ridge by (0)
---@return lop.stats
function sample.run(net, name, set, opts)
  check.type(net, "lop.net", "net")
  check.type(name, "string", "layer")
  check.type(set, "lop.data", "set")
  opts = check.options(opts, {"images", "positions", "seed", "target", "holdout"})
  local target, seed = opts.target or net, check.integer(opts.seed or 0, "seed", 0)
  check.type(target, "lop.net", "target")
  local how = {seed = seed}
  if opts.positions and opts.positions ~= "auto" then
    how.positions = check.integer(opts.positions, "positions", 1)
  end
  if opts.images then
    local images = check.integer(opts.images, "images", 1)
    if images < #set then set = set:take(images, seed) end
  end
  local layer, window = window_of(net, name)
  local taps = window.kernel[1] * window.kernel[2]
  how.about = {layer = name, bias = layer.bias}
  if opts.holdout and opts.holdout ~= 0 then
    local held
    held, set = set:split(check.integer(opts.holdout, "holdout", 1, #set - 1), seed + 1)
    how.about.held = gather(net, target, name, held, how)
  end
  local channels = layer.weight:size() // (layer.weight:shape()[1] * taps)
  how.about.producer, how.about.bn_scale = known_behind(net, name, channels)
  local stats = gather(net, target, name, set, how)
  return stats                          -- no tail call: errors name lop.sample
end

return sample
