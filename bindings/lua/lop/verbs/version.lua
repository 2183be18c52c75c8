-- bindings/lua/lop/verbs/version.lua - lop version.

local core = require "lop.core"
local json = require "lop.json"

local licences = "Lua (MIT), OpenBLAS, LAPACKE, libedit and protobuf-c (BSD), zlib, libjpeg and libpng (their own)"

return {
  summary = "version, build, CPU path, BLAS",
  usage = "version [--json]",
  run = function(_, _, out)
    local v = core.version()
    json.array(v.cpu_paths)
    out:document(v)
    out:line("lop %s (%s)", v.version, v.commit)
    out:line("cpu path  %s (of %s)", v.cpu_path, table.concat(v.cpu_paths, ", "))
    out:line("blas      %s", v.blas)
    out:line("lua       %s", v.lua)
    out:line("mpi       %s", v.mpi and "yes" or "no")
    out:line("with      %s", licences)
    return 0
  end,
}
