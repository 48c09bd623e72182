# p99.gp  p99 of the application in each second
height = 400
load "style.gp"
set output "foreground-p99.svg"
set title "p99 of the application's transactions in each second, by when they were due, ms" left
set logscale y
set xlabel "seconds since the start of the work beside"
set key top right
plot "p99_alone.dat" using 1:2 with lines linestyle 1 title "alone", \
	"p99_plain.dat" using 1:2 with lines linestyle 2 title "beside one plain UPDATE", \
	"p99_engine.dat" using 1:2 with lines linestyle 3 title "beside the backfill"
