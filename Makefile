.PHONY: check test nightly format gifs wheel-check

check:
	ruff check
	ruff format --check
	mypy

test:
	python -m pytest

# The wheel, installed in an empty environment outside the checkout: minutes, for torch is unpacked.
wheel-check:
	.ci/wheel

# What takes hours: kills of every command, long play, damaged files.
nightly: wheel-check
	python -m tests.kills --kills 100
	python -m tests.endurance --minutes 60 --steps 1000000 --hours 10
	python -m tests.fuzz --minutes 60

format:
	ruff check --fix
	ruff format

# The README's picture, and those of the tasks, 700 kB at most each.
PLAY = python play.py --headless --size 400x224 --seed 1 --camera still

gifs:
	python play.py --headless --size 480x270 --seed 1 --distance 4.5 --elevation 14 \
		--keys "10-190:w,60-110:shift,120-160:a,190-230:d" --frames 250 --record docs/walk.gif
	$(PLAY) --task joystick --keys "5-45:w,45-85:a,85-120:s,120-160:d,20-100:shift" --frames 165 --distance 5.5 \
		--elevation 22 --record docs/joystick.gif
	$(PLAY) --task target --clicks "0:1/3,75:-1.6/1" --frames 150 --distance 5 --elevation 22 --record docs/target.gif
	$(PLAY) --task timed_target --clicks "0:1.5/3,150:-1.5/0" --frames 280 --distance 5 --elevation 22 \
		--record docs/timed_target.gif
	$(PLAY) --task path --keys "0-1:4" --frames 480 --distance 10.5 --elevation 38 --record docs/path.gif
	$(PLAY) --task maze --frames 450 --distance 14 --elevation 58 --record docs/maze.gif
	$(PLAY) --task crowd --characters 20 --clicks "45:0/0" --frames 105 --distance 14 --elevation 32 \
		--record docs/crowd.gif
	$(PLAY) --task random --frames 210 --distance 5 --record docs/random.gif
	$(PLAY) --task monte_carlo --clicks "0:1/3,120:-1.6/1" --frames 240 --distance 5 --elevation 22 \
		--record docs/monte_carlo.gif
