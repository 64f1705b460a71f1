# The page for everybody else's server:  docker build -t adain . && docker run -p 7860:7860 adain
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 adain
WORKDIR /home/adain/app

COPY requirements.txt ./
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt

COPY app.py README.md LICENSE ./
COPY adain_core ./adain_core
COPY ui ./ui
COPY examples ./examples
COPY docs ./docs

USER adain
ENV ADAIN_HOST=0.0.0.0 ADAIN_PORT=7860 GRADIO_ANALYTICS_ENABLED=False PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD python -c "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ADAIN_PORT'], timeout=4)"
CMD ["python", "app.py"]
