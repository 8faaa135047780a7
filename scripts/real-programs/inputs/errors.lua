-- Errors that cross C and Lua frames in every direction, and coroutines; every one of them is a longjmp.
print(_VERSION, arg[1])

local function fails(what) error(what, 0) end

print(pcall(fails, "a string"))
print(select(2, pcall(fails, { code = 42 })).code)
print(pcall(error))
print(xpcall(fails, function(e) return "handled " .. e end, "once"))
print(pcall(string.rep))
print(pcall(string.gsub, "tide", "%w", function(c) if c == "d" then fails("from gsub at " .. c) end end))
print(pcall(table.sort, { 3, 1, 2 }, function(a, b) if a == 1 then fails("from sort") end return a < b end))
print(select("#", pcall(load, "x = = 1")), load("x = = 1"))
print(pcall(function() return setmetatable({}, { __index = function(_, k) fails("no " .. k) end }).wader end))

-- A hundred levels, each of which catches, adds and throws on.
local function level(n)
  if n == 0 then fails(0) end
  local ok, depth = pcall(level, n - 1)
  assert(not ok)
  fails(depth + 1)
end
print(pcall(level, 100))

-- Stack overflow is an error like any other.
local function forever() return 1 + forever() end
local ok, why = pcall(forever)
print(ok, (tostring(why):match("stack overflow")))

-- Coroutines: yields across pcall, errors out of a coroutine, and to-be-closed variables on the way out.
local closed = {}
local walker = coroutine.create(function(first)
  local guard <close> = setmetatable({}, { __close = function(_, e) closed[#closed + 1] = tostring(e) end })
  local ok, got = pcall(function() return coroutine.yield(first * 2) + 1 end)
  coroutine.yield(ok and got or "caught")
  fails("out of the coroutine")
end)
for _, value in ipairs({ 21, 9, "x", "dead" }) do print(coroutine.resume(walker, value)) end
print(coroutine.close(walker))
print(table.concat(closed, ","))

local fine, thrown = 0, 0
for i = 1, 30000 do
  local ok, e = pcall(function() if i % 3 == 0 then error(i) elseif i % 7 == 0 then local x = nil; return x.y end return i end)
  if ok then fine = fine + 1 else thrown = thrown + #tostring(e) end
end
print(fine, thrown)

-- And some work.
local counts = {}
for word in (("the tide goes out and the tide comes in "):rep(500)):gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
local words = {}
for word, n in pairs(counts) do words[#words + 1] = ("%s=%d"):format(word, n) end
table.sort(words)
print(table.concat(words, " "), string.format("%.14g %q %x", 2 ^ 53, "a\nb", 255), utf8.char(0x1F426), 7 // 2, -7 % 3, 1 << 62)
