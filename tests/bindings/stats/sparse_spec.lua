local lop = require "lop"                                       -- tests/bindings/stats/sparse_spec.lua

-- Atoms of norm 1, and samples of `active` of them each with coefficients of 0.5 to 1.5 in size, and no noise.
local function planted(atoms, d, samples, active)
  local noise, basis = lop.randn({atoms, d}, {seed = 11}):totable(), {}
  for k, row in ipairs(noise) do
    local energy = 0
    for _, v in ipairs(row) do energy = energy + v * v end
    basis[k] = {}
    for i, v in ipairs(row) do basis[k][i] = v / math.sqrt(energy) end
  end
  local order, size, x = lop.rand({samples, atoms}, {seed = 12}), lop.rand({samples, atoms}, {seed = 13}):totable(), {}
  local _, places = order:topk(active)
  for s, list in ipairs(places:totable()) do
    x[s] = {}
    for i = 1, d do x[s][i] = 0 end
    for _, k in ipairs(list) do
      local u = size[s][k]
      local c = (u < 0.5 and -1 or 1) * (0.5 + 2 * (u % 0.5))
      for i = 1, d do x[s][i] = x[s][i] + c * basis[k][i] end
    end
  end
  return lop.tensor(basis), lop.tensor(x)
end

local basis, x = planted(12, 16, 600, 2)

describe("lop.sparse", function()
  it("finds a basis that was planted, from samples alone", function()
    local r = lop.sparse.learn(x, {atoms = 12, eta = 0.05, lambda = 1e-3, rounds = 200, stop = 1e-6, seed = 4})
    local found = 0
    for _, row in ipairs(basis:matmul(r.basis:transpose(1, 2)):totable()) do
      local best = 0
      for _, v in ipairs(row) do best = math.max(best, math.abs(v)) end
      found = found + (best > 0.99 and 1 or 0)
    end
    assert.is_true(found >= 11, found .. " of 12")
  end)
  it("never lets the objective grow, whatever the penalty", function()
    for _, rho in ipairs {"l1", "log", "student-t"} do
      local r = lop.sparse_coding(x, {atoms = 10, eta = 0.3, lambda = 0.1, rho = rho, rounds = 15, stop = 0})
      assert.is_true(r.rounds > 1)
      for i = 2, #r.objective do assert.is_true(r.objective[i] <= r.objective[i - 1] * (1 + 1e-12), rho) end
      local o = {eta = 0.3, lambda = 0.1, rho = rho}
      assert.near(lop.sparse.objective(x, r.basis, r.codes, o), r.objective[#r.objective], 1e-9)
    end
  end)
  it("gives codes of one atom that are done by hand", function()
    local codes = lop.sparse.codes(lop.tensor {{2, 0}, {0, 1}, {-0.25, 0}}, lop.tensor {{1, 0}}, {eta = 1})
    assert.same({{1.5}, {0}, {0}}, codes:totable())
  end)
  it("is the same, bit for bit, for a seed, and another for another", function()
    local how = {atoms = 9, eta = 0.2, rounds = 3, seed = 7}
    local a, b = lop.sparse.learn(x, how), lop.sparse.learn(x, how)
    assert.is_true(a.basis:equal(b.basis))
    how.seed = 8
    assert.is_false(a.basis:equal(lop.sparse.learn(x, how).basis))
  end)
  it("draws atoms in rows", function()
    local picture = lop.sparse.picture(lop.tensor {{1, 0, -1, 0}, {0, 0, 0, 0}, {2, 2, 2, 2}}, {scale = 2, columns = 2})
    assert.same({11, 11}, picture:shape())
    assert.same({255, 128, 0}, {picture:get(2, 2), picture:get(2, 4), picture:get(4, 2)})
    assert.equal(0, picture:get(1, 1))
    local ok, why = pcall(lop.sparse.picture, lop.tensor {{1, 0}, {0 / 0, 2}}, {width = 1})
    assert.is_false(ok)
    assert.matches("basis: atom 2 has .*nan: finite values expected", tostring(why))
  end)
  it("refuses what cannot be coded, at the user's line", function()
    for _, case in ipairs {
      {{eta = 0, atoms = 2}, "eta is 0"}, {{eta = 1}, "atoms is nil"}, {{atoms = 2}, "eta is nil"},
      {{eta = 1, atoms = 2, rho = "l2"}, "no penalty is called 'l2'"},
      {{eta = 1, atoms = 2, nu = -1, rho = "student-t"}, "nu = %-1"},
      {{eta = 1, atom = 2}, "unknown option 'atom' %(did you mean 'atoms'%?%)"},
      {{eta = 1, atoms = 3, basis = basis}, "atoms is 3, the basis given has 12"},
      {{eta = 1, basis = lop.ones {2, 16}}, "atom #0 has the norm"},
      {{eta = 1, basis = lop.ones {2, 5}}, "basis"},
      {{eta = 1, atoms = 2, progress = 3}, "progress: function expected, got number"},
    } do
      local ok, e = pcall(function() lop.sparse.learn(x, case[1]) end)
      assert.is_false(ok)
      assert.matches("sparse_spec.lua:%d+: ", tostring(e))
      assert.matches(case[2], tostring(e))
    end
    assert.error_matches(function() lop.sparse.learn(lop.zeros {0, 4}, {eta = 1, atoms = 2}) end, "x is empty: 0x4")
    assert.has_error(function() lop.sparse.learn(lop.ones {3}, {eta = 1, atoms = 2}) end)
  end)
end)
