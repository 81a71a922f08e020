"""What `agent/verify.py` checks with: numbers in prose, a strict reading of mathematics, what a question asks, the verdicts.

python -c "from qwen_router.agent.checks.figures import figures_in; print(figures_in('1,234.5 kg'))"
"""
