"""What stands on a picture, written down by a model that sees: text and tables as Markdown, or one answer about it.

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['read_image']; \\
        print(t.invoke({'path': 'invoice.png'}))"
"""

from __future__ import annotations

from typing import Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router import prompts
from qwen_router.errors import RouterError
from qwen_router.specialists import attached, consult


class ReadingInput(BaseModel):
    """What reading takes."""

    path: str = Field(description="The picture, relative to the tools' folder, such as scans/invoice.png.")
    question: str = Field(default="", description="What to find out; left out, all that stands on it is written down.")


class ReadingError(ToolException):
    """The picture cannot be read; the text says why, for the model to read."""


@tool(args_schema=ReadingInput, response_format="content_and_artifact")
def read_image(path: str, question: str = "") -> tuple[str, dict[str, Any]]:
    """Read the text and tables on a picture, or answer a question about it. Example: path='scans/invoice.png'."""
    try:
        picture = attached(path, "image")

        def prompt(**target: Any) -> prompts.Messages:
            if question.strip():
                return prompts.vision(question, attachments=[picture], **target)
            return prompts.document_parsing(attachments=[picture], **target)

        consulted = consult("vision", prompt)
    except RouterError as error:
        raise ReadingError(str(error)) from error
    return consulted.answer, consulted.record


read_image.metadata = {
    "inputs": {"path": "image", "question": "question"},
    "output": "text",
    "untrusted": True,
    "cost_s": 10,
    "timeout_s": 150,
}
read_image.handle_tool_error = True
