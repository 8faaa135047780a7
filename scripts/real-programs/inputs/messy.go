package   shore
import ("fmt"
  "sort" )
type bird struct{ name string; grams  float64 ; rings []int}
// weigh sums.
func weigh( b []bird )(total float64){
for _,x:=range b { if x.grams>0{total+=x.grams} else {
      continue } }
	return }
func show(b []bird){sort.Slice(b,func(i,j int)bool{return b[i].grams<b[j].grams})
	fmt.Println(len( b ),weigh(b) ,b[1:2])
  var s []int = b[0].rings[0:len(b[0].rings)]
  _=s }
