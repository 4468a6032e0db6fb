"""Runs the pages' modules by themselves, in the browser."""

from typing import Any

from page import Page


def run(page: Page, module: str, script: str, *arguments: object) -> Any:
    """Returns the result of a script in which `it` is the module and `args` are the further arguments."""
    return page.driver.execute_async_script(
        """
        const [module, args, done] = [...arguments];
        import(`/assets/${module}.js`).then((it) => (async () => { SCRIPT })()).then(done);
        """.replace("SCRIPT", script),
        module,
        arguments,
    )
