"""Run by pytest after `facebench eval`: the pruned network is still good enough."""


def test_step_2_is_good_enough(accuracy_gate):
    accuracy_gate("records", model="step_2")


def test_step_2_separates_people_at_all(accuracy_gate):
    accuracy_gate("records", model="step_2", rules=["lfw.accuracy >= 52% at 95%"])
