-- bindings/lua/lop/budget/joint.lua - widths, ranks and samplers together. What a rank saves hangs on the widths around
-- its layer, so these are chosen together: losses are summed, the budget is priced (loss + price * cost), and for a
-- price each neighbourhood, a width with the units of the layers it touches, is searched whole while the others stand;
-- the price is bisected until the cost fits. In a residual net the neighbourhoods are apart, and each price is solved
-- exactly. A branch that may vanish is searched as it is, and then held against the net without it.

local blocks = require "lop.cuts.blocks"

local joint = {}

local PRICES, SWEEPS = 40, 6
local MOST = 20000                      -- choices of a neighbourhood that are looked at

-- For each unit of width the units of its makers and readers; those of a layer that no width touches stand alone.
local function neighbourhoods(list)
  local by_layer, lists, taken = {}, {}, {}
  for i, unit in ipairs(list) do
    if unit.kind then
      by_layer[unit.producer] = by_layer[unit.producer] or {}
      table.insert(by_layer[unit.producer], i)
    end
  end
  for i, unit in ipairs(list) do
    if not unit.kind then
      local own, seen = {i}, {}
      local function touch(name)
        for _, r in ipairs(by_layer[name] or {}) do
          if not seen[r] then own[#own + 1], seen[r], taken[r] = r, true, true end
        end
      end
      for _, name in ipairs(unit.producers) do touch(name) end
      for _, c in ipairs(unit.consumers) do touch(c.name) end
      lists[#lists + 1] = own
    end
  end
  for _, unit in ipairs(list) do
    local own = unit.kind and by_layer[unit.producer] or {}
    if own[1] and not taken[own[1]] then
      lists[#lists + 1] = own
      for _, i in ipairs(own) do taken[i] = true end
    end
  end
  return lists
end

--- Of each unit the place of the one that excludes it, as a layer is factored in one form; and a function that tells
--- whether that one is cut.
---@return table<integer, integer> places
---@return fun(widths: integer[], i: integer): boolean
function joint.rivals(list)
  local place, rival = {}, {}
  for i, unit in ipairs(list) do place[unit.name] = i end
  for i, unit in ipairs(list) do rival[i] = unit.rival and place[unit.rival] end
  return rival, function(widths, i)
    local r = rival[i]
    return r ~= nil and widths[r] < list[r].width
  end
end

-- The best of all choices of some units, the others as they are: changes widths. Of rivals one is left whole.
local function search(own, options, losses, cost, price, widths)
  local best, chosen = math.huge, {}
  local rival, cut = options.rival, options.cut
  local function walk(k, loss)
    if loss >= best then return end     -- a cost is not negative: only dearer from here
    if k > #own then
      local value = loss + price * cost(widths)
      if value < best then
        best = value
        for _, i in ipairs(own) do chosen[i] = widths[i] end
      end
      return
    end
    local i = own[k]
    local only = rival[i] and rival[i] < i and cut(widths, i) and #options[i] or 1
    for o = only, #options[i] do
      local w = options[i][o]
      widths[i] = w
      walk(k + 1, loss + losses[i][w])
    end
  end
  walk(1, 0)
  return chosen
end

local function copy_of(widths) return table.move(widths, 1, #widths, 1, {}) end

-- Branches that are gone get the widths back that they had last.
local function revive(branches, had, widths)
  for _, b in ipairs(branches) do
    if blocks.is_gone(b, widths) then
      for i, w in pairs(had[b]) do widths[i] = w end
    end
  end
end

-- Lets the branch go where that is worth more than its widths are.
local function weigh(list, b, had, losses, cost, price, widths)
  local was, mine = {}, price * cost(widths)
  for _, places in ipairs {b.units, b.beside} do
    for _, i in ipairs(places) do was[i], mine = widths[i], mine + losses[i][widths[i]] end
  end
  blocks.drop(list, b, widths)
  had[b] = was
  if losses[b.tail][0] + price * cost(widths) >= mine then revive({b}, had, widths) end
end

local function solve_at(price, lists, list, options, losses, cost, start, branches)
  local widths, had = copy_of(start), {}
  for _ = 1, SWEEPS do
    local was, changed = copy_of(widths), false
    revive(branches, had, widths)
    for _, own in ipairs(lists) do
      local chosen = search(own, options, losses, cost, price, widths)
      for _, i in ipairs(own) do widths[i] = chosen[i] end
    end
    for _, b in ipairs(branches) do weigh(list, b, had, losses, cost, price, widths) end
    for i, w in ipairs(widths) do changed = changed or w ~= was[i] end
    if not changed then break end
  end
  return widths
end

local function choices(own, options)
  local count = 1
  for _, i in ipairs(own) do
    local r = options.rival[i]
    if not r then count = count * #options[i] end
    if r and r < i then count = count * (#options[i] + #options[r] - 1) end
  end
  return count
end

-- What of its options a unit offers: those of the measured grid, thinned where a neighbourhood has too many choices.
local function options_of(list, grids, lists)
  local options = {}
  options.rival, options.cut = joint.rivals(list)
  for i, unit in ipairs(list) do options[i] = unit.fixed and {unit.fixed} or grids[i] end
  for _, own in ipairs(lists) do
    while choices(own, options) > MOST do
      for _, i in ipairs(own) do
        local thin = {}
        for k, w in ipairs(options[i]) do
          if k % 2 == 1 or k == #options[i] then thin[#thin + 1] = w end
        end
        options[i] = thin
      end
    end
  end
  return options
end

--- Widths and ranks within the budget, of the measured ones.
---@param grids integer[][]   by unit: the widths measured, ascending, the whole last
---@param losses table[]      by unit and width
---@param cost fun(widths: integer[]): number
---@param branches table[]?   of lop.cuts.blocks, those that may vanish; the loss without stands at its last unit's 0
---@return integer[]? widths  nil where the cheapest of these exceeds the budget
---@return number? least      what that costs
function joint.widths(list, grids, losses, cost, budget, branches)
  local lists, whole = neighbourhoods(list), {}
  local options = options_of(list, grids, lists)
  branches = branches or {}
  for i, unit in ipairs(list) do whole[i] = unit.fixed or unit.width end
  local top = cost(whole)
  local low, high = 0, 1e3 / top        -- per unit of cost; a loss of 1 is an output gone
  local best = solve_at(high, lists, list, options, losses, cost, whole, branches)
  if cost(best) > budget then return nil, cost(best) end
  for _ = 1, PRICES do
    local price = low == 0 and high / 10 or math.sqrt(low * high)
    local found = solve_at(price, lists, list, options, losses, cost, whole, branches)
    if cost(found) <= budget then
      best, high = found, price
    else
      low = price
    end
    if low > 0 and high / low < 1.0005 then break end
  end
  return best
end

return joint
