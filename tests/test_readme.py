from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    steps = (REPO / ".ci" / "run").read_text("utf-8").splitlines()
    [command] = [step for step in steps if step.startswith("python3 -m venv ")]
    readme = (REPO / "README.md").read_text("utf-8")
    assert command in [line.strip() for line in readme.splitlines()]
