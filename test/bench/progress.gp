# progress.gp  rows done, and the size of the table, over time
height = 620
load "style.gp"
set output "backfill-progress.svg"
set multiplot layout 2,1 margins 0.09,0.97,0.10,0.92 spacing 0.15
set xrange [0:*]
set yrange [0:*]
set offsets 0, 0, graph 0.05, 0

set label 1 "rows filled and committed, millions" at graph 0,1.07 left
set key bottom right
plot "progress_plain.dat" using 1:($2 / 1e6) with lines linestyle 2 title "one plain UPDATE", \
	"progress_engine.dat" using 1:($2 / 1e6) with lines linestyle 3 title "backfill, one lane"

set label 1 "table with its indexes, MB"
set xlabel "seconds" offset 0,0.5
plot "progress_plain.dat" using 1:3 with lines linestyle 2 title "one plain UPDATE", \
	"progress_engine.dat" using 1:3 with lines linestyle 3 title "backfill, one lane"
unset multiplot
