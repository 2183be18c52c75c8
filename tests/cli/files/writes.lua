local file = io.open("written.txt", "w")
file:write("a recipe wrote this")
file:close()
return {}
