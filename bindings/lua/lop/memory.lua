-- bindings/lua/lop/memory.lua - what a run will take, foretold from shapes, so that it is refused before it starts and
-- not ended by the system half way.

local core = require "lop.core"
local frontier = require "lop.frontier"
local units = require "lop.units"

local BASE = 64 << 20                   -- program, libraries, Lua, and pages that an allocator keeps
local SLACK = 256 << 20                 -- tensors that the collector has not come to yet (LOPL_COLLECT)
local COPIES = 6                        -- of a layer's Gram: two sums, centred, the solver's H and its work

local memory = {}

local function bytes_of(value)
  local n = 4
  for _, d in ipairs(value.shape or {}) do n = n * d end
  return n
end

-- Bytes an image of every value, by name.
local function sizes_of(net)
  local size = {}
  for _, v in ipairs(net:inputs()) do size[v.name] = bytes_of(v) end
  for _, layer in ipairs(net:layers()) do
    for _, v in ipairs(layer.outputs) do size[v.name] = v.constant and 0 or bytes_of(v) end
  end
  return size
end

-- The most that stands at any of the frontiers, an image, and the most that a chunk is turned into.
local function frontier_bytes(net, list, size)
  local most, widest = 0, 0
  for _, unit in ipairs(list) do
    local sum = 0
    for _, name in ipairs(frontier.live(net, frontier.position(net, unit.producer) - 1)) do sum = sum + size[name] end
    most = math.max(most, sum)
  end
  for _, bytes in pairs(size) do widest = math.max(widest, bytes) end
  return most, widest
end

local function gram_bytes(net, list)
  local most = 0
  for _, unit in ipairs(list) do
    local names = {unit.producer}
    for _, c in ipairs(unit.consumers) do names[#names + 1] = c.name end
    for _, name in ipairs(names) do
      local layer, unknowns = net:layer(name), 1
      local shape = layer.weight:shape()
      for d = 2, #shape do unknowns = unknowns * shape[d] end
      if units.too_wide(layer) then     -- rows, their matrix, and what the filters make of them
        local rows, filters = units.ROWS, shape[1]
        most = math.max(most, (6 * rows * (unknowns + filters) + 32 * rows * (rows + filters)
                               + 8 * 64 * 64 * unit.width + 8 * 64 * unknowns) / COPIES)
      else
        most = math.max(most, #unit.consumers * 8 * (unknowns + 1) * (unknowns + 1 + shape[1]))
      end
    end
  end
  return most
end

--- Bytes that pruning these units takes at its peak. It grows with the images by what stands at the frontiers alone.
---@param net lop.net         batch normalisation folded
---@param list table[]        units
---@param images integer      calibration and held-out ones
---@param data integer        bytes of the data sets, which are kept whole
function memory.bytes(net, list, images, data)
  local size = sizes_of(net)
  local front, widest = frontier_bytes(net, list, size)
  local fronts = 2
  for _, unit in ipairs(list) do fronts = unit.stream and 4 or fronts end       -- stream.walk moves twins
  local chunk = math.min(images, frontier.CHUNK) * (2 * front + 3 * widest)
  return BASE + SLACK + data + 6 * net:bytes() + fronts * images * front + chunk
    + math.ceil(COPIES * gram_bytes(net, list))
    + core.threads() * 8 * widest
end

--- The least size in M, as --memory reads it, that holds so many bytes.
function memory.text(bytes)
  return ("%dM"):format(math.ceil(bytes / 2 ^ 20))
end

--- Refuses a run that would take more than the limit, naming the least that works.
function memory.check(needed, limit)
  if needed <= limit then return end
  core.fail("memory", ("needs %s, %dM may be used: --memory %s, or fewer --images"):format(memory.text(needed),
            limit // 2 ^ 20, memory.text(needed)))
end

return memory
