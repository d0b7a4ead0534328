"""TensorBoard in a real browser that cannot reach the internet: what a person sees of a run.

`LEAFBENCH_SCREENSHOTS=DIR` keeps pictures of the pages, 1400x900.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from bench.codec import encode
from tests.bench.profile_samples import profile_record
from tests.bench.samples import failed_record, run_record, trial_record
from tests.processes import has_ended

pytest.importorskip("selenium", reason="selenium is not installed (pip install selenium)")
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")
WAIT_S = 60
# Profiled steps of each variant: no two traces have a step in common.
PROFILED: Mapping[str, tuple[int, ...]] = {
    "plain": (3, 4, 5),
    "in_model+prefetch=8": (11, 12, 13, 14),
}
TRACE = """
import sys
import keras
import numpy as np
import tensorflow as tf

def train(folder, numbers):
    tf.profiler.experimental.start(folder)
    for number in numbers:
        with tf.profiler.experimental.Trace("train", step_num=number, _r=1):
            model.train_on_batch(images, labels)
    tf.profiler.experimental.stop()

keras.utils.set_random_seed(1)
model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dense(2)])
model.compile("sgd", "mse")
images, labels = np.zeros((4, 8)), np.zeros((4, 2))
model.train_on_batch(images, labels)
for argument in sys.argv[1:]:
    folder, *numbers = argument.split(",")
    train(folder, [int(number) for number in numbers])
"""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not installed"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with made-up trials and real traces."""
    folder = tmp_path_factory.mktemp("run")
    head = run_record(variants=("default", "in_model"), blocks=1)
    steady_s = {"default": 10.0, "in_model": 8.0, "ceiling_model": 7.5}
    epochs_s = [(12.0, *[steady_s[spec.variant]] * 3) for spec in head.plan[:-1]]
    trials = [trial_record(*given) for given in zip(head.plan, epochs_s, strict=False)]
    trials.append(failed_record(head.plan[-1]))
    (folder / "run.json").write_bytes(encode(head))
    for kind in ("trials", "profiles"):
        (folder / kind).mkdir()
    for trial in trials:
        (folder / "trials" / f"{trial.spec.name}.json").write_bytes(encode(trial))
    for variant, trace in make_traces(folder).items():
        record = replace(profile_record(variant), trace=str(trace.relative_to(folder)))
        (folder / "profiles" / f"{record.spec.trial.name}.json").write_bytes(encode(record))
    return folder


def make_traces(run: Path) -> Mapping[str, Path]:
    """A trace of each of `PROFILED`, where a session puts it."""
    folders = {variant: run / "tensorboard" / f"{variant}-cnn" for variant in PROFILED}
    arguments = [
        ",".join((str(folder), *map(str, PROFILED[variant]))) for variant, folder in folders.items()
    ]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", TRACE, *arguments], check=True, env=environment)
    return {variant: next(folder.rglob("*.xplane.pb")) for variant, folder in folders.items()}


@pytest.fixture(scope="module")
def links(run: Path) -> Iterator[Mapping[str, str]]:
    """What `leafbench trace` prints, title to address, while it runs."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench", "trace", str(run)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    printed = []
    for line in child.stdout:
        if line.startswith("Ctrl-C"):
            break
        printed.append(line.strip().split(": ", maxsplit=1))
    started = psutil.Process(child.pid).children(recursive=True)
    yield dict(printed)
    child.terminate()  # SIGINT is ignored in whatever a script starts in the background
    assert child.wait(WAIT_S) == 0
    child.stdout.close()
    assert len(started) > 0
    assert all(has_ended(process.pid, WAIT_S) for process in started)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium, to which no host but this machine exists."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield driver
    driver.quit()


def sized(browser: webdriver.Chrome, width: int) -> None:
    """A window of that width, scaled to 1400x900 in pictures."""
    scale = 1400 / width
    size = {"width": width, "height": round(900 / scale), "deviceScaleFactor": scale}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"mobile": False})


def opened(browser: webdriver.Chrome, address: str, width: int = 1400) -> None:
    """Load a page anew: TensorBoard takes a changed fragment for a click on a tab."""
    sized(browser, width)
    browser.switch_to.default_content()
    browser.get("about:blank")
    browser.get(address)


def until(browser: webdriver.Chrome, found: Callable[[], Any]) -> Any:
    """The first answer that is true; a page that is half built answers nothing."""
    from selenium.common.exceptions import WebDriverException

    wait = WebDriverWait(browser, WAIT_S, 0.2, ignored_exceptions=[WebDriverException])
    return wait.until(lambda _browser: found())


def picture(browser: webdriver.Chrome, name: str) -> Image.Image:
    """What is to be seen; kept where `LEAFBENCH_SCREENSHOTS` says."""
    browser.switch_to.default_content()
    data = browser.get_screenshot_as_png()
    folder = os.environ.get("LEAFBENCH_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(data)
    return Image.open(io.BytesIO(data)).convert("HSV")


# All texts inside the first element of a name, shadow roots included.
TEXTS = """
const skipped = ['STYLE', 'SCRIPT', 'TEMPLATE'];
function texts(node, found) {
  if (node.shadowRoot) texts(node.shadowRoot, found);
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE && child.textContent.trim())
      found.push(child.textContent.trim());
    if (child.nodeType === Node.ELEMENT_NODE && !skipped.includes(child.tagName))
      texts(child, found);
  }
  return found;
}
function first(root, name) {
  for (const element of root.querySelectorAll('*')) {
    if (element.tagName === name) return element;
    const inner = element.shadowRoot && first(element.shadowRoot, name);
    if (inner) return inner;
  }
  return null;
}
const found = first(document, arguments[0]);
return found ? texts(found, []) : [];
"""
TITLES = """
const model = document.querySelector('tr-ui-timeline-view').model;
return Array.from(model.getDescendantEvents(), (event) => event.title);
"""


def test_hparams_table_has_variants_axes_and_metrics(
    browser: webdriver.Chrome, links: Mapping[str, str]
) -> None:
    opened(browser, links["HParams"], width=1880)  # variant and metrics side by side

    def table() -> list[str]:
        found = browser.execute_script(TEXTS, "TF-HPARAMS-TABLE-VIEW")
        return found if "b00-04-ceiling_none-cnn" in found else []

    found = until(browser, table)
    header = ["variant", "augment", "loader", "map_parallelism", "prefetch", "steady epoch [s]"]
    assert found[2:8] == header
    row = found.index("b00-01-in_model-cnn")
    expected = ["in_model", "model", "tf_data", "cores", "2", "8.0000", "80.000"]
    assert found[row + 1 : row + 8] == expected
    assert "default" in found
    picture(browser, "hparams")


@pytest.mark.parametrize("variant", PROFILED)
def test_link_opens_the_trace_viewer_on_the_steps_of_its_variant(
    browser: webdriver.Chrome, links: Mapping[str, str], variant: str
) -> None:
    opened(browser, links[f"{variant}, cnn"])

    def steps() -> set[str]:
        """The viewer is a frame in the profile page, which is a frame in TensorBoard."""
        browser.switch_to.default_content()
        browser.switch_to.frame(0)
        browser.switch_to.frame(0)
        return {title for title in browser.execute_script(TITLES) if title.startswith("train ")}

    assert until(browser, steps) == {f"train {number}" for number in PROFILED[variant]}
    lanes = until(browser, lambda: browser.execute_script("return document.body.innerText"))
    assert "/host:CPU" in lanes
    assert "python" in lanes
    # The model is there before it is drawn.
    until(browser, lambda: coloured(picture(browser, f"trace-viewer-{variant}")) > 0.01)


def coloured(seen: Image.Image) -> float:
    """Share of pixels right of the lanes' names that are no shade of grey."""
    saturation = seen.crop((600, 240, 1400, 800)).getchannel("S").histogram()
    return sum(saturation[64:]) / sum(saturation)


def test_scalars_are_there(browser: webdriver.Chrome, links: Mapping[str, str]) -> None:
    opened(browser, links["Scalars"])
    until(browser, lambda: "epoch/seconds" in browser.execute_script(TEXTS, "TF-SCALAR-DASHBOARD"))
    until(browser, lambda: coloured(picture(browser, "scalars")) > 0.003)
