# progress.gp  rows done, and the size of the table, over time
height = 600
load "style.gp"
set output "backfill-progress.svg"
set multiplot layout 2,1 margins 0.09,0.97,0.09,0.95 spacing 0.12

set xrange [0:*]
set yrange [0:*]
set title "Rows filled and committed, millions" left
set key bottom right
plot "progress_plain.dat" using 1:($2 / 1e6) with lines linestyle 2 title "one plain UPDATE", \
	"progress_engine.dat" using 1:($2 / 1e6) with lines linestyle 3 title "backfill, one lane"

set title "Table with its indexes, MB" left
set xlabel "seconds"
plot "progress_plain.dat" using 1:3 with lines linestyle 2 title "one plain UPDATE", \
	"progress_engine.dat" using 1:3 with lines linestyle 3 title "backfill, one lane"
unset multiplot
