const std=@import("std");
pub fn   sum( xs:[]const u32 )u64{var total:u64=0;
for(xs)|x|{ total+=x; }
return total;}
const Bird=struct{name:[]const u8,grams:f32=48,
pub fn heavy(self:Bird)bool{return self.grams>100;}};
test "sum"{try std.testing.expectEqual(@as(u64,6),sum(&.{1,2,3}));}
pub fn main()!void{switch(sum(&.{4,5})){9=>{},else=>unreachable,}}
