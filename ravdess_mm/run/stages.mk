# What a run consists of, for the Makefile and for `ravdess-mm run`: name, what it needs first, and a line of help.

# stages
all: report ## everything, from clips to the report
features: ## catalog of clips, voice features, video frames
audio-models: features ## RandomForest, SVC, XGBoost, logistic regression, a dense network, their ensemble
audio-embedding: features ## a frozen speech encoder's states, pooled, and a classifier on them
video-cnn: features ## the convolutional network on the frames
video-embedding: features ## a trained face network's own answers, and classifiers on what it sees; nothing without one
video-action-units: features ## classifiers on the action units of .csv files among DATA and in its folders; nothing without any
fuse: audio-models audio-embedding video-cnn video-embedding video-action-units ## voice and face fused, metrics of all models
report: fuse ## the HTML report; prints its path last

# experiments
evaluate: ## all models under PROTOCOL (several: luna5,loso; or all), and a table of their figures
compare: ## runs side by side with paired tests, RUNS="a b"
noise: audio-models audio-embedding ## what noise, telephone, MP3, 16 kHz, offset and click cost the voice models; shown by the next report
cross-corpus: ## each corpus tested by what the others taught, CORPORA="emodb=folder nemo=folder"; shown by the next report
importance: audio-models ## which families of features the voice models listen to; shown by the next report
leak-demo: features ## what a split that ignores actors would claim: a demonstration, shown by the next report
face-network: ## the face network that ships, trained anew: FACES=fer2013.zip (45 CPU minutes); another one: NET=vgg19

# variables
DATA ?=            ## folders of clips and of action-unit tables (.csv), or such tables, separated by spaces (none: the synthetic sample)
RUN ?=             ## name of the run (none: sample, or the name of the data folder)
PROTOCOL ?=        ## holdout, luna5, emobox6 or loso: how actors are split (none: holdout)
TEST_ACTORS ?=     ## test actors of a holdout, such as 21-24 or 1,17-20 (none: 21-24)
ADAPT ?=           ## none, or speaker: standardise with each actor's own unlabelled clips
NOISE_TAKES ?=     ## test takes an actor that noise measures (none: 20; all: 60)
CORPORA ?=         ## other corpora for cross-corpus: name=folder of each, separated by spaces
ENCODER ?=         ## another speech encoder: the folder of a Whisper encoder's safetensors (none: the one that ships)
CHANNEL ?=         ## speech, song or both (none: speech)
FRAME_STEP ?=      ## keep every n-th frame of a clip (none: 20)
CROP ?=            ## none, or face
DETECTOR ?=        ## what finds the faces that CROP=face cuts out: haar, or mtcnn, which is an extra (none: haar)
NET ?=             ## network of the video branch: seed, compact, vgg19 or resnet18 (all but seed want CROP=face)
FINE_TUNE ?=       ## start the video network from a trained face network: none, face-compact, or its folder
RULE ?=            ## mean, product, weighted, stacking or pool: how voice and face are fused (none: pool)
JOBS ?=            ## processes (none: one a core)
BACKEND ?=         ## loky or dask: what spreads the work
SEED ?=            ## seed of everything random (none: 20)
CONFIG ?=          ## a TOML file with any setting of ravdess_mm/config.py
RUNS ?=            ## runs of compare, separated by spaces; the first is what the others are set against
FACES ?=           ## FER2013, for face-network: a folder, a zip, or its CSV
