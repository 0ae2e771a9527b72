"""`detect` on the CPU starts without torch, whose import alone takes longer than all the rest."""

import subprocess
import sys
from pathlib import Path

from app.sonar.simulator.line import simulate_line
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.xtf_writer import write_xtf


def test_detect_never_imports_torch_unless_asked_to(tmp_path: Path) -> None:
    survey = tmp_path / "line.xtf"
    write_xtf(survey, [simulate_line(SurveyPlan(lines=1, pings=96, samples=128), 0).waterfall])
    program = (
        "import sys; sys.modules['torch'] = None; "
        f"sys.argv = ['app', 'detect', {str(survey)!r}, '--out', {str(tmp_path / 'out')!r}]; "
        "from app.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ONNX Runtime" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()
