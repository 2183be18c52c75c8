-- bindings/lua/lop/engine/memory.lua - what a run will take, foretold from shapes, so that it is refused before it
-- starts and not ended by the system half way; and what of it goes to disk.

local core = require "lop.core"
local frontier = require "lop.engine.frontier"
local reader = require "lop.engine.reader"
local relu = require "lop.engine.relu"
local store = require "lop.engine.store"
local units = require "lop.engine.units"

local BASE = 64 << 20                   -- program, libraries, Lua, and pages that an allocator keeps
local SLACK = 256 << 20                 -- tensors that the collector has not come to yet (LOPL_COLLECT)
local COPIES = 6                        -- of a layer's Gram: two sums, centred, the solver's H and its work
local FILTER = 5                        -- of a Gram's size: what one filter's choice takes, beside it, in each thread
local NETS = 3                          -- as it came, as pruned so far, packed for a run; or read, or written
local VALUES = 6                        -- of a chunk at once, as large as the largest: the producers' refit has as many

local memory = {}

-- Bytes an image of every value, by name.
local function sizes_of(net)
  local size = {}
  for _, v in ipairs(net:inputs()) do size[v.name] = frontier.bytes(v) end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do size[v.name] = v.constant and 0 or frontier.bytes(v) end
  end
  return size
end

-- Bytes an image of all that is alive behind each layer, by its place; [0]: the input.
local function live_bytes(net, size)
  local layers, last, sums, ends = net:layers(), {}, {}, {}
  for i, layer in ipairs(layers) do
    for _, v in ipairs(layer.inputs) do last[v.name] = i end
  end
  for _, v in ipairs(net:outputs()) do last[v.name] = #layers + 1 end
  local now = 0
  local function make(list, at)
    for _, v in ipairs(list) do
      local death = last[v.name] or 0
      if death > at and size[v.name] then
        now = now + size[v.name]
        ends[death] = (ends[death] or 0) + size[v.name]
      end
    end
  end
  make(net:inputs(), 0)
  sums[0] = now
  for i, layer in ipairs(layers) do
    now = now - (ends[i] or 0)
    make(layer.outputs, i)
    sums[i] = now
  end
  return sums
end

-- The layers that frontiers stand before: makers, and all that read a stream that is cut.
local function stands_of(list)
  local names = {}
  for _, unit in ipairs(list) do
    names[unit.first] = true
    for _, c in ipairs(unit.stream and unit.consumers or {}) do names[c.name] = true end
  end
  return names
end

-- The most that stands at a frontier, the largest value, and the largest that is held out as a target: bytes an image.
local function frontier_bytes(net, list, size)
  local sums, names = live_bytes(net, size), stands_of(list)
  local most, widest, target = sums[0], 0, 0
  for i, layer in ipairs(net:layers()) do
    if names[layer.name] or layer.op == "Gemm" then most = math.max(most, sums[i - 1]) end
  end
  for _, bytes in pairs(size) do widest = math.max(widest, bytes) end
  for _, unit in ipairs(list) do
    for _, c in ipairs(unit.consumers) do
      target = math.max(target, size[net:layer(c.name).outputs[1].name])
    end
  end
  return most, widest, target
end

local function gram_bytes(net, list, opts)
  local most = 0
  for _, unit in ipairs(list) do
    local names = {unit.producer}
    for _, c in ipairs(unit.consumers) do names[#names + 1] = c.name end
    for _, name in ipairs(names) do
      local layer, unknowns = reader.layer(net, name), 1
      local shape = layer and layer.weight:shape() or {}
      for d = 2, #shape do unknowns = unknowns * shape[d] end
      if layer and units.too_wide(layer) then           -- rows, their matrix, and what the filters make of them
        local rows, filters = units.ROWS, shape[1]
        most = math.max(most, (6 * rows * (unknowns + filters) + 32 * rows * (rows + filters)
                               + 8 * 64 * 64 * unit.width + 8 * 64 * unknowns) / COPIES)
      elseif layer then
        local rows = opts.reconstruct == "relu" and relu.ROWS * (unknowns + 3 * shape[1]) or 0
        local each = unit.kind == "mask" and core.threads() * FILTER * unknowns * unknowns or 0
        most = math.max(most, #unit.consumers * (8 * (unknowns + 1) * (unknowns + 1 + shape[1]) + 4 * rows)
                              + 8 * each / COPIES)
      end
    end
  end
  return most
end

--- What pruning these units takes at its peak. With the images grows what stands at the frontiers, and nothing else.
---@param net lop.net         batch normalisation folded
---@param list table[]        units
---@param images integer      calibration images
---@param held integer        held-out ones
---@param opts {data_bytes: integer?, producer: integer?, reconstruct: string?}   data_bytes: of the data sets, which
---                           are kept whole
---@return {kept: integer, spilled: integer, slot: integer, entries: integer}
---        bytes with the frontiers in memory, and on disk; there, the bytes of an entry and how many there are at once
function memory.needs(net, list, images, held, opts)
  local size, chunk = sizes_of(net), frontier.chunk(net)
  local front, widest, target = frontier_bytes(net, list, size)
  local fronts = 2
  for _, unit in ipairs(list) do fronts = unit.stream and 4 or fronts end       -- stream.walk moves twins
  if opts.producer == 0 then target = 0 end
  local work = math.min(math.max(images, held), chunk) * (2 * front + VALUES * widest)
  local spilled = BASE + SLACK + (opts.data_bytes or 0) + NETS * net:bytes() + work
    + math.ceil(COPIES * gram_bytes(net, list, opts))
    + core.threads() * 8 * widest
  local chunks, apart = (images - 1) // chunk + 1, (held - 1) // chunk + 1
  return {kept = spilled + fronts * (images + held) * front + held * target, spilled = spilled,
          slot = chunk * math.max(front, target), entries = fronts * (chunks + apart) + apart}
end

--- The least size in M, as --memory reads it, that holds so many bytes.
function memory.text(bytes)
  return ("%dM"):format(math.ceil(bytes / 2 ^ 20))
end

local function refuse(needs, limit, folder)
  local kept, spilled = memory.text(needs.kept), memory.text(needs.spilled)
  local may = ("%dM may be used"):format(limit // 2 ^ 20)
  if folder then
    core.fail("memory", ("needs %s with %s on disk, %s: --memory %s, or fewer --images"):format(spilled,
              memory.text(needs.slot * needs.entries), may, spilled))
  end
  local way = needs.spilled <= limit and "--scratch DIR"
    or ("--scratch DIR and --memory %s"):format(spilled)
  core.fail("memory", ("needs %s, %s: --memory %s, or %s (%s of disk), or fewer --images"):format(kept, may, kept, way,
            memory.text(needs.slot * needs.entries)))
end

--- Decides where the frontiers wait. Refuses a run that would take more than the limit, naming the least that works.
---@param needs table         from memory.needs
---@param limit integer
---@param folder string?      --scratch
---@return {memory_bytes: integer, scratch_bytes: integer, store: table}      store: from lop.engine.store
function memory.place(needs, limit, folder)
  if needs.kept <= limit then return {memory_bytes = needs.kept, scratch_bytes = 0, store = store.memory} end
  if not folder or needs.spilled > limit then refuse(needs, limit, folder) end
  return {memory_bytes = needs.spilled, scratch_bytes = needs.slot * needs.entries,
          store = store.scratch(folder, needs.slot, needs.entries)}
end

return memory
