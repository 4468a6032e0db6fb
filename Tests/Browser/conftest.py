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
    """The browser as if just started; fails the test if it has anything against the page."""
    yield browser
    complaints = browser.complaints()
    # A tab's session ends with the tab.
    browser.run("sessionStorage.clear()")
    browser.driver.get("about:blank")
    browser.resize(1200)
    browser.scheme("light")
    assert complaints == []


@pytest.fixture
def home(page, cluster):
    page.open(cluster.address)
    return page
