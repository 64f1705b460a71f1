"""The page. Only ui/ and app.py import Gradio."""
