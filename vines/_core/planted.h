/* Known bugs that tests switch on to prove that they would be found. In a release build the switch is a constant 0 and
   the code behind it is not there. */
#ifndef VINES_PLANTED_H
#define VINES_PLANTED_H

#ifdef VINES_PLANTED
static int vines_planted_bug = 0;
#define vines_plantable 1
#define vines_planted(bug) (vines_planted_bug == (bug))
#define vines_plant(bug) (vines_planted_bug = (bug), 1)
#else
#define vines_plantable 0
#define vines_planted(bug) 0
#define vines_plant(bug) ((void)(bug), 0)
#endif

#endif
