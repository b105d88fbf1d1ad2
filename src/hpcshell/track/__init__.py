"""The experiment tracker, as a training script uses it.

    from hpcshell import track

    with track.run("mnist", config={"lr": 0.1}) as run:
        run.log(loss=0.3, step=1)

Each part is loaded when it is used.
"""
