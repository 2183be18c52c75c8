-- bindings/lua/lop/verbs/help.lua - lop help [VERB | recipe].

local core = require "lop.core"
local help = require "lop.program.help"

return {
  summary = "what the program can do; lop help VERB for one of its verbs, lop help recipe for all keys",
  usage = "help [VERB | recipe]",
  positional = {"VERB"},
  least = 0,
  run = function(_, args, out)
    local cli = require "lop.program.cli"
    if args[1] == "recipe" then out:line("%s", help.recipe())
    elseif args[1] and core.nearest(args[1], {"recipe"}) then
      core.fail("usage", ("unknown verb %s (did you mean recipe?)"):format(args[1]))
    elseif args[1] then out:line("%s", help.verb(args[1], cli.verb(args[1])))
    else out:line("%s", help.program(cli.verbs())) end
    return 0
  end,
}
