"""Tests that `make test-docs` runs every command in the documentation, or has a reason not to."""

import pages


def test_every_command_is_run_or_has_a_reason_not_to_be():
    assert pages.problems() == []


def test_commands_are_extracted_from_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        'Text with `make it` in it.\n\n    $ bifrons up      # until ctrl-C\n    {"status":200}\n'
        "    curl -F a=@b \\\n      http://x/#fragment\n\n```sh\nanything at all\n```\n\n```python\nimport sys\n```\n"
    )
    assert [(command.line, command.text) for command in pages.commands("page.md")] == [
        (3, "bifrons up"),
        (5, "curl -F a=@b http://x/#fragment"),
        (9, "anything at all"),
    ]
    assert pages.python_blocks("page.md") == ["import sys\n"]
