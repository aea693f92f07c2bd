# SPDX-License-Identifier: GPL-2.0
# Variables from run-demo.sh: dir, output, rate, title_yes, title_no, and for each
# run its phases in ms: kernel_yes, iommu_yes, user_yes, switch_yes, finish_yes,
# kernel_no, iommu_no, user_no, open_no.  What did not happen is negative.
set terminal pngcairo size 1200,760 font "DejaVu Sans,11" background rgb "#fcfcfc"
set output output

full = rate / 100.0
first = -400
last = (user_yes > user_no ? user_yes : user_no) + 700
if (finish_yes > 0 && finish_yes + 500 > last) { last = finish_yes + 500 }
if (open_no > 0 && open_no + 500 > last) { last = open_no + 500 }

set xrange [first:last]
set yrange [0:full * 1.75]
set ytics 0,full/2,full nomirror textcolor rgb "#555555"
set xtics nomirror textcolor rgb "#555555"
set border 3 linecolor rgb "#999999"
set grid ytics linecolor rgb "#e4e4e4" linetype 1
set style fill solid 1.0 noborder
set boxwidth 10
set key off
set lmargin 9
set rmargin 3

set multiplot
set label 1 "A network card's DMA while the kernel underneath is replaced" \
    at screen 0.5,0.972 center font "DejaVu Sans,16" textcolor rgb "#222222"
set label 2 sprintf("frames that landed in memory, per 10 ms of the time they were sent (%d frames/s)", rate) \
    at screen 0.5,0.94 center textcolor rgb "#666666"

set style line 1 linecolor rgb "#2a7ab9"
set style line 2 linecolor rgb "#c8553d"
mark = "#444444"
switch = "#2e8b57"

# The upper picture
set origin 0,0.455
set size 1,0.46
set tmargin 3
set bmargin 2.5
set title title_yes offset 0,0.3 font "DejaVu Sans Bold,12" textcolor rgb "#2a7ab9"
set object 1 rectangle from 0,0 to user_yes,full*1.75 behind fillcolor rgb "#eef2f6" fillstyle solid 1.0 noborder
set arrow 1 from 0,0 to 0,full*1.7 nohead dashtype 2 linecolor rgb mark front
set label 11 "kexec call" at 6,full*1.65 left font ",9" textcolor rgb mark front
set arrow 2 from kernel_yes,0 to kernel_yes,full*1.56 nohead dashtype 2 linecolor rgb mark front
set label 12 "new kernel's first line" at kernel_yes+6,full*1.51 left font ",9" textcolor rgb mark front
set arrow 3 from iommu_yes,0 to iommu_yes,full*1.42 nohead dashtype 2 linecolor rgb mark front
set label 13 "VT-d driver" at iommu_yes+6,full*1.37 left font ",9" textcolor rgb mark front
set arrow 4 from user_yes,0 to user_yes,full*1.7 nohead dashtype 2 linecolor rgb mark front
set label 14 "user space" at user_yes+6,full*1.65 left font ",9" textcolor rgb mark front
set arrow 6 from switch_yes,0 to switch_yes,full*1.56 nohead linewidth 2 linecolor rgb switch front
set label 16 "new page tables: the switch" at switch_yes+6,full*1.51 left font ",9" textcolor rgb switch front
set arrow 7 from finish_yes,0 to finish_yes,full*1.42 nohead dashtype 2 linecolor rgb mark front
set label 17 "finished" at finish_yes+6,full*1.37 left font ",9" textcolor rgb mark front
plot dir."/yes.bins" using 1:2 with fillsteps linestyle 1

unset label 1
unset label 2
unset arrow 6
unset arrow 7
unset label 16
unset label 17

# The lower one
set origin 0,0
set size 1,0.46
set bmargin 4
set title title_no textcolor rgb "#c8553d"
set xlabel "ms after the kexec call" textcolor rgb "#555555"
set object 1 rectangle from 0,0 to user_no,full*1.75
set arrow 2 from kernel_no,0 to kernel_no,full*1.56
set label 12 at kernel_no+6,full*1.51
set arrow 3 from iommu_no,0 to iommu_no,full*1.42
set label 13 at iommu_no+6,full*1.37
set arrow 4 from user_no,0 to user_no,full*1.7
set label 14 at user_no+6,full*1.65
if (open_no > 0) {
    set arrow 5 from open_no,0 to open_no,full*1.42 nohead dashtype 2 linecolor rgb mark front
    set label 15 "device set up anew" at open_no+6,full*1.37 left font ",9" textcolor rgb mark front
}
plot dir."/no.bins" using 1:2 with fillsteps linestyle 2
unset multiplot
