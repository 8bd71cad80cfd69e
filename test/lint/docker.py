# The files of examples/docker agree with each other and with the sources: what they
# copy and mount exists, every service has an image, and the commands are shell.
import re
import subprocess
import sys
from pathlib import Path

import yaml

folder = Path('examples/docker')
wrong = []


def check_shell(where, text):
    said = subprocess.run(['sh', '-n'], input=text, text=True, capture_output=True)
    if said.returncode != 0:
        wrong.append(f'{where}: {said.stderr.strip()}')


def check_dockerfile(path):
    text = re.sub(r'\\\n', ' ', path.read_text())
    stages = set()
    for line in text.splitlines():
        word, _, rest = line.strip().partition(' ')
        if word in ('', '#') or line.startswith('#'):
            continue
        if word not in ('ARG', 'FROM', 'RUN', 'COPY', 'WORKDIR'):
            wrong.append(f'{path}: unexpected {word}')
        if word == 'FROM' and ' AS ' in rest:
            stages.add(rest.split(' AS ')[1])
        if word == 'RUN':
            check_shell(path, rest)
        if word == 'COPY':
            source = rest.split()
            if source[0].startswith('--from='):
                if source[0].removeprefix('--from=') not in stages:
                    wrong.append(f'{path}: {line}: no such stage')
            elif not Path(source[0]).exists():
                wrong.append(f'{path}: {line}: no such file')


def check_compose(path):
    project = yaml.safe_load(path.read_text())
    services = project['services']
    for name, service in services.items():
        where = f'{path}: {name}'
        if ('image' in service) == ('build' in service):
            wrong.append(f'{where}: wants an image or a build')
        build = service.get('build')
        if build and not (folder / build['context'] / build['dockerfile']).exists():
            wrong.append(f'{where}: no {build["dockerfile"]}')
        for other in service.get('depends_on', {}):
            if other not in services:
                wrong.append(f'{where}: depends on {other}, which is not there')
        for volume in service.get('volumes', []):
            source = volume.split(':')[0]
            if source.startswith('.'):
                if not (folder / source).exists():
                    wrong.append(f'{where}: no {source}')
            elif source not in project['volumes']:
                wrong.append(f'{where}: no volume {source}')
        command = service.get('command')
        if command and command[:2] == ['sh', '-c']:
            check_shell(where, command[2])


check_dockerfile(folder / 'Dockerfile')
check_compose(folder / 'compose.yaml')
print('\n'.join(wrong))
sys.exit(bool(wrong))
