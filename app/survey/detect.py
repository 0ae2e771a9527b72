"""Stream a survey through a detector: any number of files in, contacts and a report on every file out."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.detector.detections import Runtime
from app.device.freed_memory import keep_freed_memory
from app.errors import SonarFileError
from app.sonar.blocks import of_one_range, without_short_blocks
from app.sonar.position_gaps import without_position_gaps
from app.sonar.recording import Recording, open_recording
from app.survey.ahead import ahead
from app.survey.contact import Contact
from app.survey.correct import CorrectedBlock, Corrector
from app.survey.file_log import FileLog
from app.survey.line import LineDetector
from app.survey.options import SurveyOptions
from app.survey.result import FileReport, SurveyResult
from app.survey.sources import source_names
from app.survey.stages import StageClock
from app.telemetry.progress import Progress, Silent

BLOCKS_AHEAD = 2
"""Corrected blocks that may wait for the network."""


def detect_survey(
    files: Sequence[Path | Recording],
    runtime: Runtime,
    options: SurveyOptions | None = None,
    progress: Progress | None = None,
) -> SurveyResult:
    """Find, measure and place the contacts of a survey.

    Memory does not grow with the files' length: a few blocks of pings at a time, the contacts with their
    small pictures, and one small picture of each waterfall are kept.

    Args:
        files: recordings, XTF or images; one that cannot be read is reported and the others go on. What is
            open already, or made as it is read, is taken as it is.
        runtime: the network.
        options: see `SurveyOptions`; the defaults suit most recordings.
        progress: told of every block.

    Raises:
        SonarFileError: no file was given, or none of them could be read.
    """
    if not files:
        raise SonarFileError("no files to detect in; give at least one .xtf file or image")
    options = options or SurveyOptions()
    keep_freed_memory()
    clock, started = StageClock(), time.perf_counter()
    contacts: list[Contact] = []
    reports: list[FileReport] = []
    with ThreadPoolExecutor(options.workers, "survey-network") as workers:
        for file, source in zip(files, source_names([_path(file) for file in files]), strict=True):
            report, found = _detect_file(file, source, runtime, options, progress or Silent(), clock, workers)
            reports.append(report)
            contacts += found
    if all(report.error is not None and report.pings == 0 for report in reports):
        others = f" (and {len(reports) - 1} more files, all unreadable)" if len(reports) > 1 else ""
        raise SonarFileError(f"{reports[0].error}{others}")
    return SurveyResult(
        contacts=tuple(replace(c, identifier=f"C{n:04d}") for n, c in enumerate(contacts, start=1)),
        files=tuple(reports),
        options=options,
        class_names=tuple(runtime.class_names),
        model=runtime.description,
        seconds=time.perf_counter() - started,
        stage_s=clock.seconds,
    )


def _detect_file(
    file: Path | Recording,
    source: str,
    runtime: Runtime,
    options: SurveyOptions,
    progress: Progress,
    clock: StageClock,
    workers: Executor,
) -> tuple[FileReport, list[Contact]]:
    log = FileLog(_path(file), options, source=source)
    contacts: list[Contact] = []
    line: LineDetector | None = None
    recording: Recording | None = None
    try:
        recording = _opened(file, options)
        progress.start(source, recording.ping_count(options.channel_pair))
        corrector = Corrector(options)
        for block in ahead(_corrected(recording, corrector, options, clock), depth=BLOCKS_AHEAD):
            if line is None:
                line = LineDetector(
                    runtime,
                    options,
                    source=source,
                    clock=clock,
                    workers=workers,
                )
            log.push(block)
            contacts += line.push(block)
            progress.advance(len(block.pings.slant_range_m), note=f"{len(contacts)} contacts")
    except (SonarFileError, OSError) as error:
        log.failed(error)
    if line is not None:
        contacts += line.finish()
        progress.advance(0, note=f"{len(contacts)} contacts")
    progress.done()
    return log.report(contacts, recording), contacts


def _path(file: Path | Recording) -> Path:
    return Path(file) if isinstance(file, str | Path) else Path(file.source)


def _opened(file: Path | Recording, options: SurveyOptions) -> Recording:
    if not isinstance(file, str | Path):
        return file
    return open_recording(
        Path(file), range_m=options.range_m, ping_spacing_m=options.ping_spacing_m, layout=options.layout
    )


def _corrected(
    recording: Recording, corrector: Corrector, options: SurveyOptions, clock: StageClock
) -> Iterator[CorrectedBlock]:
    blocks = without_position_gaps(
        without_short_blocks(
            of_one_range(recording.blocks(pings=options.block_pings, pair=options.channel_pair)),
            least_pings=options.block_pings // 4,
        )
    )
    while True:
        with clock.stage("read"):
            waterfall = next(blocks, None)
        if waterfall is None:
            return
        with clock.stage("correct"):
            block = corrector.correct(waterfall)
        yield block
