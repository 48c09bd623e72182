# p99.gp  p99 of the application's transactions in each second
height = 420
load "style.gp"
set output "foreground-p99.svg"
set lmargin at screen 0.1
set rmargin at screen 0.97
set tmargin at screen 0.82
set label 1 "p99 of the transactions that were due in a second, ms" at graph 0,1.06 left
set key at graph 1,1.2 right top horizontal
set logscale y
set xlabel "seconds since the work beside the application began" offset 0,0.3
plot "p99_alone.dat" using 1:2 with lines linestyle 1 title "alone", \
	"p99_plain.dat" using 1:2 with lines linestyle 2 title "beside one plain UPDATE", \
	"p99_engine.dat" using 1:2 with lines linestyle 3 title "beside the backfill"
