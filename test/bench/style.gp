# style.gp  what the plots have in common: a size of their own, then this
set terminal svg size 760,height dynamic rounded font "sans-serif,13" background "white"
set encoding utf8
set border 3 linecolor "#777777"
set tics nomirror textcolor "#333333"
set grid linecolor "#dddddd" linewidth 1
set style line 1 linecolor "#7a7a7a" linewidth 2	# nothing beside
set style line 2 linecolor "#c1440e" linewidth 2	# one plain UPDATE
set style line 3 linecolor "#1f6fb2" linewidth 2	# the backfill
