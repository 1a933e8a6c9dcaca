"""Train RecBole in an environment of its own: `python recbole_train.py MODEL FOLDER DATASET SEED EPOCHS`.

FOLDER/DATASET has DATASET.train.inter, .valid.inter and .test.inter. Writes the checkpoint, and beside it a JSON file
that says whose row is whose, where the checkpoint is, and how long it took.
"""

import json
import sys
import time
from pathlib import Path

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def main(model, folder, name, seed, epochs):
    """Train and save."""
    place = Path(folder) / name / f"{model}-{seed}"
    settings = {
        "data_path": folder,
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "checkpoint_dir": str(place),
        "epochs": epochs,
        "stopping_step": epochs,
        "eval_step": 5,
        "seed": seed,
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "worker": 0,
        "train_batch_size": 4096 if model == "LightGCN" else 2048,
        "learning_rate": 5e-3 if model == "LightGCN" else 2e-3,
        "metrics": ["Recall"],
        "topk": [20],
        "valid_metric": "Recall@20",
    }
    config = Config(model=model, dataset=name, config_dict=settings)
    init_seed(seed, True)
    dataset = create_dataset(config)
    train, valid, _ = data_preparation(config, dataset)
    trainer = get_trainer(config["MODEL_TYPE"], model)(config, get_model(model)(config, train.dataset))
    started = time.perf_counter()
    trainer.fit(train, valid, saved=True, show_progress=False)
    seconds = time.perf_counter() - started
    tokens = {of: dataset.field2id_token[f"{of}_id"].tolist() for of in ("user", "item")}
    place.with_suffix(".json").write_text(json.dumps({**tokens, "file": trainer.saved_model_file, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
