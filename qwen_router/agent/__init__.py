"""The agent: a graph of tools, chains through it, and what runs them. Nothing heavy is imported until it is used.

python -c "from qwen_router.agent.graph import ToolGraph; print(ToolGraph.load().chains(['expression'], 'number')[0])"
"""
