"""A browser at one of the gateway's pages, and the actions of a user."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from support.waiting import Found, wait_for

# The time limit in seconds for a verdict, which a busy machine may need.
PATIENCE = 30

# Keeps the violations of the content security policy, because the browser's log does not show all of them.
WATCH = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
# Creates files as a browser passes them when they are dropped or pasted.
HAND_OVER = """
    const [kind, files, text] = arguments;
    const data = new DataTransfer();
    for (const [name, type, content] of files) {
        data.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0))], name, { type }));
    }
    if (text) data.setData(kind === "drop" ? "text/uri-list" : "text/plain", text);
    const options = { bubbles: true, cancelable: true };
    const event = kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: data })
        : new DragEvent(kind, { ...options, dataTransfer: data });
    document.getElementById("drop").dispatchEvent(event);
"""


class Page:
    def __init__(self, downloads: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        # Root and most containers cannot run the sandbox. The browser only ever shows our own pages.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(PATIENCE)
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        self.downloads = downloads
        self.resize(1200, 900)

    def devtools(self, command: str, **parameters: object) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def quit(self) -> None:
        self.driver.quit()

    # Appearance

    def resize(self, width: int, height: int = 900) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def scheme(self, name: str) -> None:
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path: Path, height: int) -> None:
        """Saves an image of the page from its top to `height`, whatever part of it the window shows."""
        width = self.run("return innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(taken["data"]))

    def overflow(self) -> int:
        """Returns by how many pixels the page is wider than the window."""
        return int(self.run("return document.documentElement.scrollWidth - innerWidth"))

    # Actions

    def open(self, address: str) -> None:
        self.driver.get(address)
        self.wait(lambda: self.find(".service").text != "Connecting…", "a word about the service")

    def choose(self, *files: Path) -> None:
        self.find("#files").send_keys("\n".join(map(str, files)))

    def drop(self, *files: Path) -> None:
        self.hand_over("drop", files)

    def paste(self, *files: Path) -> None:
        self.hand_over("paste", files)

    def paste_text(self, text: str) -> None:
        self.run(HAND_OVER, "paste", [], text)

    def drop_address(self, address: str) -> None:
        """Drops an image of another page, of which the browser passes only the address."""
        self.run(HAND_OVER, "drop", [], address)

    def hand_over(self, kind: str, files: tuple[Path, ...]) -> None:
        self.run(
            HAND_OVER,
            kind,
            [
                (
                    file.name,
                    f"image/{file.suffix[1:].replace('jpg', 'jpeg')}",
                    base64.b64encode(file.read_bytes()).decode(),
                )
                for file in files
            ],
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, selector: str) -> None:
        """Moves the focus to an element with the Tab key, as a user without a mouse does."""
        for _ in range(60):
            if self.run("return document.activeElement.matches(arguments[0])", selector):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"the Tab key does not reach {selector}")

    # Observations

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def texts(self, selector: str) -> list[str]:
        """Returns the texts of all matching elements at one moment; one found earlier may have been replaced."""
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText)"
        return list(self.run(script, selector))

    def wait(self, condition: Callable[[], Found | None], what: str) -> Found:
        return wait_for(condition, what, PATIENCE)

    def wait_text(self, selector: str, text: str) -> None:
        self.wait(lambda: any(text in found for found in self.texts(selector)), f"{text!r} in {selector}")

    def verdicts(self, count: int) -> list[WebElement]:
        """Waits until `count` images in the grid have their verdicts, and returns their tiles, in the grid's order."""
        self.wait(lambda: len(self.all(".tile[data-state=done]")) == count, f"{count} verdicts")
        return self.all(".tile[data-state=done]")

    def show(self, name: str) -> None:
        """Opens the image whose file has this name, and waits for its picture."""
        found = [tile for tile in self.all(".tile") if name in tile.text.split("\n")]
        assert found, f"no {name} in {self.texts('.tile')}"
        self.run("arguments[0].click()", found[0])
        script = "return document.querySelector('#viewer .stage img')?.complete"
        self.wait(lambda: self.texts("#viewer-title") == [name] and self.run(script), f"{name} opened")

    def verdict(self, name: str) -> None:
        """Waits for the verdict on an image, and opens it."""
        self.wait(lambda: any(name in text for text in self.texts(".tile[data-state=done]")), f"a verdict on {name}")
        self.show(name)

    def problem(self) -> WebElement:
        """Waits until an image has failed, opens it, and returns its problem."""
        self.wait(lambda: self.all(".tile[data-state=failed]"), "an image that failed")
        self.run("document.querySelector('.tile[data-state=failed]').click()")
        return self.find("#viewer .problem")

    def close(self) -> None:
        """Closes the opened image with the keyboard."""
        self.press(Keys.ESCAPE)
        self.wait(lambda: not self.shown("#viewer"), "a closed dialogue")

    def shown(self, selector: str) -> list[WebElement]:
        return [element for element in self.all(selector) if element.is_displayed()]

    def complaints(self) -> list[str]:
        """Returns the problems that the browser reports: script errors, security policy violations, missing files.

        A request that was answered with an error is not among them: tests check those themselves.
        """
        entries = [entry["message"] for entry in self.driver.get_log("browser") if entry["source"] != "network"]
        return [*entries, *self.run("return window.violations ?? []")]
