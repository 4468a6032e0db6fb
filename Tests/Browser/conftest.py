import pytest

from page import Page
from support.cluster import GatewayCluster


@pytest.fixture(scope="session")
def cluster():
    with GatewayCluster() as running:
        yield running


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("downloads"))
    yield page
    page.quit()


@pytest.fixture
def page(browser):
    """Gives the browser as if just started. The test fails if the browser reports a problem with the page."""
    yield browser
    complaints = browser.complaints()
    # The session storage belongs to the tab, which the tests share.
    # A page that is left stores its results.
    browser.run("addEventListener('pagehide', () => sessionStorage.clear())")
    browser.driver.get("about:blank")
    browser.resize(1200)
    browser.scheme("light")
    assert complaints == []


@pytest.fixture
def home(page, cluster):
    page.open(cluster.address)
    return page
